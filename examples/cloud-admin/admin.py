"""A small admin back end: dishes with pictures, in the cloud of a mini program. Python's standard library, no SDK."""

import json, os, sys, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

BASE = f"{os.environ.get('TOKENWARD_URL', 'http://127.0.0.1:7600')}/v1/cloud/{os.environ.get('CLOUD', 'shop/test')}"
KEY = os.environ["TOKENWARD_KEY"]


class Refused(Exception):
    """What Tokenward, or who stands in its place, answers instead: a status, and what is wrong and what to do about it."""

    def __init__(self, status, problem):
        self.status, self.problem = status, problem


def cloud(method, path, body=None):
    """One call: JSON in, JSON out; bytes in for a file."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(f"{BASE}/{path}", data, {"Authorization": f"Bearer {KEY}"}, method=method)
    try:
        with urlopen(request, timeout=75) as answer:
            found = answer.read()
            return json.loads(found) if found and answer.headers.get_content_type() == "application/json" else found
    except HTTPError as error:
        try:
            problem = json.loads(error.read())
        except ValueError:
            problem = {"detail": f"{BASE} answers with HTTP {error.code}"}
        raise Refused(error.code, problem) from error
    except (URLError, TimeoutError) as error:
        raise Refused(502, {"detail": f"Tokenward does not answer: {error}"}) from error


def database(operation, **statement):
    return cloud("POST", f"database/{operation}", {"collection": "dishes", **statement})


def picture(dish_id):
    return f"files/{quote(f'dishes/{dish_id}.png', safe='/')}"


def list_dishes():
    """All of them: the platform gives a page at a time."""
    dishes = []
    while page := database("query", order=[["name", "asc"], ["_id", "asc"]], skip=len(dishes), limit=100)["documents"]:
        dishes += page
    return dishes


def get_dish(dish_id):
    documents = database("query", doc=dish_id)["documents"]
    return documents[0] if documents else None


def add_dish(fields):
    return database("add", data=[{**fields, "_id": uuid.uuid4().hex}])["ids"][0]


def update_dish(dish_id, fields):
    return database("update", doc=dish_id, update={"$set": fields})["matched"] == 1


def put_picture(dish_id, data):
    file_id = cloud("PUT", picture(dish_id), data)["file_id"]
    return file_id if update_dish(dish_id, {"picture": file_id}) else None


def delete_dish(dish_id):
    """The picture goes first: should that fail, the record still leads to it, and it can be done again."""
    try:
        cloud("DELETE", picture(dish_id))
    except Refused as refused:
        if refused.problem.get("code") != "no_such_file":  # Not every dish has a picture.
            raise
    return database("delete", doc=dish_id)["deleted"] == 1


def fields(body):
    """What a client sends: an object, whose id is not the client's to choose."""
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("a dish is a JSON object")
    return {name: value for name, value in found.items() if name != "_id"}


class Admin(BaseHTTPRequestHandler):
    """GET /dishes · POST /dishes · GET, PATCH, DELETE /dishes/ID · GET, PUT /dishes/ID/picture"""

    protocol_version = "HTTP/1.1"

    def route(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match [self.command, *self.path.strip("/").split("/")]:
            case ["GET", "dishes"]:
                return list_dishes()
            case ["POST", "dishes"]:
                return {"id": add_dish(fields(body))}
            case ["GET", "dishes", dish_id]:
                return get_dish(dish_id)
            case ["PATCH", "dishes", dish_id]:
                return update_dish(dish_id, fields(body)) or None
            case ["DELETE", "dishes", dish_id]:
                return delete_dish(dish_id) or None
            case ["PUT", "dishes", dish_id, "picture"]:
                return get_dish(dish_id) and {"file_id": put_picture(dish_id, body)}
            case ["GET", "dishes", dish_id, "picture"]:
                return cloud("GET", f"{picture(dish_id)}?stream=true")

    def answer(self):
        try:
            found, status = self.route(), 200
        except Refused as refused:
            found, status = refused.problem, refused.status
        except ValueError as error:
            found, status = {"detail": f"the request cannot be understood: {error}"}, 400
        if found is None:
            found, status = {"detail": "there is no such dish"}, 404
        data = found if isinstance(found, bytes) else json.dumps(found, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if isinstance(found, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Admin)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()

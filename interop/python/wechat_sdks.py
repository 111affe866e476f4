"""Lets a WeChat SDK from PyPI work against a facade. Reads one command a line, prints one JSON value a line.

Commands: `token`, `followers` (a GET), `send` (a POST), and for wechatpy `cloud` (a round of the cloud database),
`files` (the rest of its cloud module), and `page` (a signature, with a ticket that it fetches itself). The SDK is pointed at FACADE by what its page under docs/sdk
says, and otherwise used as its own documentation shows.
"""

import json
import os
import sys
import tempfile

FACADE, APPID, SECRET = os.environ["FACADE"], os.environ["APPID"], os.environ["SECRET"]


class Wechatpy:
    def __init__(self):
        import requests
        from wechatpy import WeChatClient

        class ToFacade(requests.adapters.HTTPAdapter):
            def send(self, request, **kwargs):
                request.url = request.url.replace("https://api.weixin.qq.com", FACADE, 1)
                return super().send(request, **kwargs)

        session = None
        if "REDIS" in os.environ:
            import redis
            from wechatpy.session.redisstorage import RedisStorage

            session = RedisStorage(redis.Redis.from_url(os.environ["REDIS"]))
        self.client = WeChatClient(APPID, SECRET, session=session)
        self.client._http.mount("https://api.weixin.qq.com", ToFacade())

    def token(self):
        return self.client.access_token

    def followers(self):
        return self.client.user.get_followers()["data"]["openid"]

    def send(self):
        return self.client.message.send_text("o1", "hello")["errcode"]

    def page(self):
        url = "https://shop.example.com/cart?id=1"
        ticket, jsapi = self.client.jsapi.get_jsapi_ticket(), self.client.jsapi
        said = {"nonceStr": "n0nce", "timestamp": 1414587457, "url": url}
        said["signature"] = jsapi.get_jsapi_signature("n0nce", ticket, 1414587457, url)
        return said

    def cloud(self):
        cloud, env, orders = self.client.cloud, "test", "db.collection('orders')"
        said = {"made": cloud.db_add_collection(env, "orders")["errcode"]}
        documents = "[{_id: 'a', n: 1, name: '\u8336'}, {_id: 'b', n: 2}, {_id: 'c', n: 3, tags: ['x']}]"
        said["added"] = cloud.db_add(env, f"{orders}.add({{data: {documents}}})")
        query = f"{orders}.where({{n: _.gt(1).and(_.lt(9))}}).orderBy('n', 'desc').limit(1).get()"
        said["queried"] = [json.loads(text) for text in cloud.db_query(env, query)["data"]]
        update = f"{orders}.where({{n: _.lt(3)}}).update({{data: {{n: _.inc(10), 'a.b': new Date(0)}}}})"
        said["modified"] = cloud.db_update(env, update)["modified"]
        said["counted"] = cloud.db_count(env, f"{orders}.where({{n: _.gte(11)}}).count()")
        pipeline = f"{orders}.aggregate().group({{_id: null, sum: $.sum('$n')}}).end()"
        said["summed"] = [json.loads(text) for text in cloud.db_aggregate(env, pipeline)]
        said["listed"] = [each["name"] for each in cloud.db_get_collection(env)["collections"]]
        said["deleted"] = cloud.db_delete(env, f"{orders}.where({{name: '\u8336'}}).remove()")
        said["gone"] = cloud.db_delete_collection(env, "orders")["errcode"]
        return said

    def files(self):
        """The rest of the cloud module: files, indexes, import and export, functions, keys."""
        import requests

        cloud, env = self.client.cloud, "test"
        # It takes the path in the cloud for the path on disk.
        os.chdir(tempfile.mkdtemp())
        with open("orders.json", "w", encoding="utf-8") as file:
            file.write('{"_id":"a","n":1}\n{"_id":"b","n":2}\n')
        said = {"uploaded": cloud.upload_file(env, "orders.json").status_code}
        said["made"] = cloud.db_add_collection(env, "orders")["errcode"]
        index = {"name": "once", "unique": True, "keys": [{"name": "n", "direction": "1"}]}
        said["indexed"] = cloud.db_update_index(env, "orders", create_indexes=[index])["errcode"]

        def finished(job):
            while True:
                info = cloud.db_query_migrate_info(env, job)
                if info["status"] != "waiting":
                    return info

        said["imported"] = finished(cloud.db_import(env, "orders", "orders.json", 1, 1))["record_success"]
        export = cloud.db_export(env, "export.json", 1, "db.collection('orders').where({n: _.gt(1)}).get()")
        said["exported"] = requests.get(finished(export)["file_url"]).text
        file_id = "cloud://test.7465-test-1250000000/orders.json"
        [link] = cloud.download_files(env, [{"fileid": file_id, "max_age": 60}])
        said["downloaded"] = requests.get(link["download_url"]).text
        [deleted] = cloud.delete_files(env, [file_id])
        said["deleted"] = deleted["status"]
        said["invoked"] = cloud.invoke_cloud_function(env, "echo", {"a": 1})
        said["key"] = sorted(cloud.get_qcloud_token())
        return said


class WeRoBot:
    def __init__(self):
        from werobot.client import Client

        class ToFacade(Client):
            def request(self, method, url, **kwargs):
                url = url.replace("https://api.weixin.qq.com", FACADE, 1)
                return super().request(method, url, **kwargs)

        self.client = ToFacade({"APP_ID": APPID, "APP_SECRET": SECRET})

    def token(self):
        return self.client.token

    def followers(self):
        return self.client.get_followers()["data"]["openid"]

    def send(self):
        return self.client.send_text_message("o1", "hello")["errcode"]


class WeixinPython:
    def __init__(self):
        from weixin.mp import WeixinMP

        class ToFacade(WeixinMP):
            api_uri = FACADE

        folder = tempfile.mkdtemp()
        self.mp = ToFacade(APPID, SECRET, ac_path=folder + "/token", jt_path=folder + "/ticket")

    def token(self):
        return self.mp.access_token

    def followers(self):
        return self.mp.user_get()["data"]["openid"]

    def send(self):
        message = {"touser": "o1", "msgtype": "text", "text": {"content": "hello"}}
        return self.mp.post("/message/custom/send", message)["errcode"]


class DingtalkSdk:
    """Has a token of DingTalk: what it says is looked at, and nothing is called."""

    def __init__(self):
        import redis
        from dingtalk import AppKeyClient
        from dingtalk.storage.kvstorage import KvStorage

        storage = KvStorage(redis.Redis.from_url(os.environ["REDIS"]))
        self.client = AppKeyClient("ding1", APPID, SECRET, storage=storage)

    def token(self):
        return self.client.access_token


def main():
    sdk = {"dingtalk-sdk": DingtalkSdk, "wechatpy": Wechatpy, "werobot": WeRoBot, "weixin-python": WeixinPython}[sys.argv[1]]()
    for line in sys.stdin:
        try:
            said = {"ok": getattr(sdk, line.strip())()}
        except Exception as error:
            said = {"error": f"{type(error).__name__}: {error}", "code": getattr(error, "errcode", None)}
        print(json.dumps(said), flush=True)


main()

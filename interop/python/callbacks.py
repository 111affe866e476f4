"""Callbacks with the SDKs from PyPI.

`speak SDK` plays the platform: the SDK encrypts CONTENT, posts it to CALLBACK, and decrypts what comes back.
`handle SDK` is a handler as the SDK's own documentation shows it, on a free port, until its input ends; with AES_KEY in
secure mode, without it for messages in the clear.
"""

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as tree
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

TOKEN, AES_KEY, APP = os.environ["TOKEN"], os.environ.get("AES_KEY"), os.environ["APP"]


def fields(text):
    return {field.tag: field.text for field in tree.fromstring(text)}


class Wechatpy:
    def __init__(self):
        from wechatpy.crypto import WeChatCrypto

        self.crypto = WeChatCrypto(TOKEN, AES_KEY, APP)

    def encrypt(self, text, timestamp, nonce):
        return self.crypto.encrypt_message(text, nonce, timestamp)

    def decrypt(self, answer, sealed):
        return self.crypto.decrypt_message(answer, sealed["MsgSignature"], sealed["TimeStamp"], sealed["Nonce"])


class Werobot:
    def __init__(self):
        from werobot.crypto import MessageCrypt

        self.crypto = MessageCrypt(TOKEN, AES_KEY, APP)

    def encrypt(self, text, timestamp, nonce):
        return self.crypto.encrypt_message(text, timestamp, nonce)

    def decrypt(self, answer, sealed):
        parts = sealed["TimeStamp"], sealed["Nonce"], sealed["MsgSignature"], sealed["Encrypt"]
        text = self.crypto.decrypt_message(*parts)
        return text.decode() if isinstance(text, bytes) else text


def speak(sdk):
    timestamp, nonce = str(int(time.time())), "1372623149"
    message = fields(sdk.encrypt(os.environ["CONTENT"], timestamp, nonce))
    query = urlencode({
        "timestamp": timestamp, "nonce": nonce, "encrypt_type": "aes", "msg_signature": message["MsgSignature"],
    })
    body = f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{message['Encrypt']}]]></Encrypt></xml>"
    try:
        with urllib.request.urlopen(f"{os.environ['CALLBACK']}?{query}", body.encode()) as response:
            status, answer = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, answer = error.code, ""
    told = {"status": status, "body": answer}
    if answer.startswith("<xml>"):
        told["answer"] = sdk.decrypt(answer, fields(answer))
    print(json.dumps(told))


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def handle():
    import werobot

    options = {"token": TOKEN, "enable_session": False}
    if AES_KEY:
        options |= {"encoding_aes_key": AES_KEY, "app_id": APP}
    robot = werobot.WeRoBot(**options)
    if AES_KEY:
        robot.config["APP_ID"], robot.config["ENCODING_AES_KEY"] = APP, AES_KEY

    @robot.text
    def echo(message):
        return f"heard {message.content}"

    server = make_server("127.0.0.1", 0, robot.wsgi, handler_class=Quiet)
    print(json.dumps({"port": server.server_port}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if sys.argv[1] == "handle":
    handle()
else:
    speak({"wechatpy": Wechatpy, "werobot": Werobot}[sys.argv[2]]())

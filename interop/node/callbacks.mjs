// Callbacks with the packages from npm.
//
// `speak wechat-crypto` plays the platform: the package encrypts CONTENT, it is posted to CALLBACK, and what comes back is
// decrypted. `handle wechat|co-wechat` is a handler as the package's own documentation shows it, on a free port, until
// its input ends; with AES_KEY in secure mode, without it for messages in the clear.

import { createRequire } from "node:module";
import http from "node:http";

const require = createRequire(import.meta.url);
const { TOKEN, AES_KEY, APP, CALLBACK, CONTENT } = process.env;
const config = { token: TOKEN, appid: APP, encodingAESKey: AES_KEY || "" };

const field = (xml, name) =>
  new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`, "s").exec(xml)[1];

async function speak() {
  const Crypto = require("wechat-crypto");
  const crypto = new Crypto(TOKEN, AES_KEY, APP);
  const [timestamp, nonce] = [String(Math.floor(Date.now() / 1000)), "1372623149"];
  const encrypt = crypto.encrypt(CONTENT);
  const query = new URLSearchParams({
    timestamp, nonce, encrypt_type: "aes", msg_signature: crypto.getSignature(timestamp, nonce, encrypt),
  });
  const body = `<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[${encrypt}]]></Encrypt></xml>`;
  const response = await fetch(`${CALLBACK}?${query}`, { method: "POST", body });
  const text = await response.text();
  const told = { status: response.status, body: text };
  if (text.startsWith("<xml>")) {
    const sealed = field(text, "Encrypt");
    const signature = crypto.getSignature(field(text, "TimeStamp"), field(text, "Nonce"), sealed);
    const opened = crypto.decrypt(sealed);
    if (signature === field(text, "MsgSignature") && opened.id === APP) told.answer = opened.message;
  }
  console.log(JSON.stringify(told));
}

/** With connect's way of handing requests on. */
function wechat() {
  const handler = require("wechat")(AES_KEY ? config : TOKEN, (req, res) => res.reply(`heard ${req.weixin.Content}`));
  return (req, res) => {
    req.query = Object.fromEntries(new URL(req.url, "http://localhost").searchParams);
    handler(req, res, (error) => {
      res.writeHead(500);
      res.end(String(error));
    });
  };
}

function coWechat() {
  const Koa = require("koa");
  const app = new Koa();
  app.use(require("co-wechat")(config).middleware(async (message) => `heard ${message.Content}`));
  return app.callback();
}

function handle(name) {
  const server = http.createServer({ wechat, "co-wechat": coWechat }[name]());
  server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
  process.stdin.resume().on("end", () => process.exit());
}

const [what, name] = process.argv.slice(2);
if (what === "handle") handle(name);
else await speak();

// Lets a WeChat SDK from npm work against a facade. Reads one command a line, prints one JSON value a line.
//
// Commands: `token`, `followers` (a GET), `send` (a POST), and `page` and `card` (signatures, with tickets that it
// fetches itself). The SDK is pointed at FACADE by what its page under
// docs/sdk says, and otherwise used as its own documentation shows.
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const { FACADE: facade, APPID: appid, SECRET: secret } = process.env;
const page = "https://shop.example.com/cart?id=1";
const message = { touser: "o1", msgtype: "text", text: { content: "hello" } };

const sdks = {
  "co-wechat-api"() {
    const api = new (require("co-wechat-api"))(appid, secret);
    api.prefix = `${facade}/cgi-bin/`;
    return {
      token: async () => (await api.ensureAccessToken()).accessToken,
      followers: async () => (await api.getFollowers()).data.openid,
      send: async () => (await api.sendText("o1", "hello")).errcode,
      page: async () => ({ ...(await api.getJsConfig({ url: page })), url: page }),
      card: async () => ({ ...(await api.getCardExt({ card_id: "pCard", code: "7" })), card_id: "pCard" }),
    };
  },
  "wechat-api"() {
    const api = new (require("wechat-api"))(appid, secret);
    api.endpoint = facade;
    const promised = (start) =>
      new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
    return {
      token: async () => (await promised((done) => api.getLatestToken(done))).accessToken,
      followers: async () => (await promised((done) => api.getFollowers(done))).data.openid,
      send: async () => (await promised((done) => api.sendText("o1", "hello", done))).errcode,
      page: async () => ({ ...(await promised((done) => api.getJsConfig({ url: page }, done))), url: page }),
    };
  },
  "node-easywechat"() {
    return easywechat(false);
  },
  "node-easywechat-stable"() {
    return easywechat(true);
  },
};

function easywechat(stable) {
  const { OfficialAccount } = require("node-easywechat");
  const app = new OfficialAccount({
    app_id: appid,
    secret,
    use_stable_access_token: stable,
    http: { baseURL: facade },
    // Without a store of its own it keeps tokens in files.
    file_cache: { path: mkdtempSync(`${tmpdir()}/easywechat-`) },
  });
  if (process.env.REDIS) {
    const redis = new (require("ioredis"))(process.env.REDIS);
    app.setCache({
      get: (key) => redis.get(key),
      set: async (key, value, seconds) => (await redis.set(key, value, "EX", seconds)) === "OK",
      has: async (key) => (await redis.exists(key)) === 1,
      delete: async (key) => (await redis.del(key)) === 1,
    });
  }
  const client = app.getClient();
  return {
    token: async () => app.getAccessToken().getToken(),
    followers: async () => (await client.get("/cgi-bin/user/get")).toObject().data.openid,
    send: async () => (await client.postJson("/cgi-bin/message/custom/send", message)).toObject().errcode,
    page: async () => ({ ...(await app.getUtils().buildJsSdkConfig(page)), url: page }),
  };
}

const sdk = sdks[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { ok: await sdk[line.trim()]() };
  } catch (error) {
    said = { error: String(error), code: error.code };
  }
  console.log(JSON.stringify(said));
}

// Fetches an access token and keeps it where other functions find it.
const cloud = require("wx-server-sdk");

cloud.init({ env: cloud.DYNAMIC_CURRENT_ENV });

exports.main = async (event) => {
  const { API = "https://api.weixin.qq.com", APPID, SECRET } = process.env;
  const query = new URLSearchParams({ grant_type: "client_credential", appid: APPID, secret: SECRET });
  const answer = await (await fetch(`${API}/cgi-bin/token?${query}`)).json();
  if (!answer.access_token) {
    throw new Error(`no token: ${answer.errcode} ${answer.errmsg}`);
  }
  const db = cloud.database();
  await db.createCollection("setconfig").catch(() => "it is there already");
  await db.collection("setconfig").doc("token").set({
    data: { token: answer.access_token, fetched: db.serverDate(), by: event.TriggerName },
  });
  return { expires_in: answer.expires_in };
};

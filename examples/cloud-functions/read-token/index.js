// Hands out the token that the other function keeps.
const cloud = require("wx-server-sdk");

cloud.init({ env: cloud.DYNAMIC_CURRENT_ENV });

exports.main = async () => {
  const { data } = await cloud.database().collection("setconfig").doc("token").get();
  return { token: data.token, by: data.by, fetched: data.fetched };
};

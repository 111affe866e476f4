// Reads the token from the record that is found by its id.
const cloud = require("wx-server-sdk");

cloud.init({ env: cloud.DYNAMIC_CURRENT_ENV });

exports.main = async () => {
  const { data } = await cloud.database().collection("cloud-token").doc("access_token").get();
  return { token: data.value, updated: data._updateTime };
};

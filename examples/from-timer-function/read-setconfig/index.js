// Reads the token from the record that is found by its name.
const cloud = require("wx-server-sdk");

cloud.init({ env: cloud.DYNAMIC_CURRENT_ENV });

exports.main = async () => {
  const { data } = await cloud.database().collection("setconfig").where({ config_name: "access_token" }).get();
  return { token: data[0].value };
};

// Asks Tokenward for a token with a client library from npm, and prints what the library made of the answer.
import * as openid from "openid-client";
import { ClientCredentials } from "simple-oauth2";

const { TOKENWARD_URL: url, CREDENTIAL: name, TOKENWARD_KEY: key } = process.env;

const clients = {
  // Finds the endpoint by its description.
  async "openid-client"() {
    const config = await openid.discovery(new URL(url), name, key, openid.ClientSecretBasic(key), {
      algorithm: "oauth2",
      execute: [openid.allowInsecureRequests],
    });
    return openid.clientCredentialsGrant(config);
  },
  async "simple-oauth2-header"() {
    return simple("header");
  },
  async "simple-oauth2-body"() {
    return simple("body");
  },
};

async function simple(authorizationMethod) {
  const client = new ClientCredentials({
    client: { id: name, secret: key },
    auth: { tokenHost: url, tokenPath: "/oauth2/token" },
    options: { authorizationMethod },
  });
  return (await client.getToken({})).token;
}

const token = await clients[process.argv[2]]();
console.log(JSON.stringify({ access_token: token.access_token, expires_in: token.expires_in }));

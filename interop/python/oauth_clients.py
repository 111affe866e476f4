"""Asks Tokenward for a token with a client library from PyPI, and prints what the library made of the answer."""

import json
import os
import sys

URL = os.environ["TOKENWARD_URL"] + "/oauth2/token"
NAME, KEY = os.environ["CREDENTIAL"], os.environ["TOKENWARD_KEY"]


def authlib(method):
    from authlib.integrations.requests_client import OAuth2Session

    session = OAuth2Session(NAME, KEY, token_endpoint_auth_method=method)
    return session.fetch_token(URL, grant_type="client_credentials")


def requests_oauthlib():
    from oauthlib.oauth2 import BackendApplicationClient
    from requests_oauthlib import OAuth2Session

    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    session = OAuth2Session(client=BackendApplicationClient(client_id=NAME))
    return session.fetch_token(URL, client_id=NAME, client_secret=KEY)


CLIENTS = {
    "authlib-basic": lambda: authlib("client_secret_basic"),
    "authlib-post": lambda: authlib("client_secret_post"),
    "requests-oauthlib": requests_oauthlib,
}

token = CLIENTS[sys.argv[1]]()
print(json.dumps({"access_token": token["access_token"], "expires_in": token["expires_in"]}))

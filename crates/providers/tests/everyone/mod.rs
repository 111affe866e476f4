//! One credential of every kind, for what must hold for all of them.

use tokenward_core::time::Span;
use tokenward_providers::{Baidu, ClientAuth, OAuth2, Provider, TokenApi, WeChat};

pub type Anyone = Box<dyn Provider>;

pub fn everyone() -> Vec<(&'static str, Anyone)> {
    vec![
        ("wechat classic", Box::new(wechat(TokenApi::Classic))),
        ("wechat stable", Box::new(wechat(TokenApi::Stable))),
        ("baidu", Box::new(baidu())),
        ("oauth2 basic", Box::new(oauth2(ClientAuth::Basic))),
        ("oauth2 body", Box::new(oauth2(ClientAuth::Body))),
    ]
}

pub fn wechat(token_api: TokenApi) -> WeChat {
    WeChat { app_id: "wx0123456789abcdef".into(), token_api }
}

pub fn baidu() -> Baidu {
    Baidu { client_id: "made-up-api-key".into() }
}

pub fn oauth2(client_auth: ClientAuth) -> OAuth2 {
    OAuth2 {
        token_url: "https://id.example.com/oauth2/token".into(),
        client_id: "crm".into(),
        client_auth,
        scope: String::new(),
        audience: String::new(),
        extra: Vec::new(),
        assumed_life: Span::minutes(30),
    }
}

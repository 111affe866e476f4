//! Under which keys and in which shape well-known SDKs keep their tokens in Redis.
//!
//! A key lives as long as the token's told life, which is always beyond the next planned refresh: an SDK that finds no key
//! fetches for itself. Deliberately absent: SDKs whose store cannot be written from outside, such as Senparc's, which
//! overwrites it with an empty one when it starts, and those with a binary encoding of their own.

use tokenward_providers::TicketKind;
use zeroize::Zeroizing;

use super::delivery::Subject;
use super::template::{Encoding, Template};

/// What keys are made of besides the app's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyOptions {
    /// What stands in front, in place of the SDK's default.
    pub(crate) prefix: Option<String>,
    /// Which of the SDK's kinds of app it is; `None`: its official account, or whatever it has only one of.
    pub(crate) app: Option<String>,
    /// The agent of a WeCom app.
    pub(crate) agent_id: String,
    /// The company of a DingTalk app.
    pub(crate) corp_id: String,
    /// Whether the SDK is set to use the stable token API.
    pub(crate) sdk_stable: bool,
    /// The kind of ticket that is written; `None`: a token.
    pub(crate) ticket: Option<TicketKind>,
}

/// A shape that an SDK reads.
#[derive(Debug)]
pub(crate) struct RedisPreset {
    /// Its name in the configuration.
    pub(crate) name: &'static str,
    /// What stands in front unless it is configured.
    prefix: &'static str,
    /// The kinds of app that it knows, the default first.
    pub(crate) apps: &'static [&'static str],
    /// Whether the keys of tokens contain the secret that the SDK is configured with.
    pub(crate) wants_sdk_secret: bool,
    /// Whether the keys contain an agent.
    pub(crate) wants_agent_id: bool,
    /// Whether the keys contain a company.
    pub(crate) wants_corp_id: bool,
    /// What is written for an app's token.
    token: Layout,
    /// What is written for its ticket for pages, if the SDK keeps one.
    jsapi: Option<Layout>,
    /// The same for cards.
    wx_card: Option<Layout>,
    /// What stands in front of tickets, where it is something else.
    ticket_prefix: Option<&'static str>,
}

/// How a secret stands in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InKey {
    /// To be read by everybody who sees the key.
    AsText,
    /// Within what an MD5 is of.
    AsDigest,
}

/// Keys and the shapes of their values.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// The key behind the prefix; `APP`, `AGENT`, `CORP` and `STABLE` are the options.
    key: Key,
    value: &'static str,
    /// A second key, written together with the first.
    second: Option<(&'static str, &'static str)>,
}

/// How a key is made.
#[derive(Clone, Copy, Debug)]
enum Key {
    Template(&'static str),
    /// The digest of what EasyWeChat 5 asks for a token with.
    EasyWechat5,
}

const fn layout(key: &'static str, value: &'static str) -> Layout {
    Layout { key: Key::Template(key), value, second: None }
}

const PLAIN: RedisPreset = RedisPreset {
    name: "plain",
    prefix: "tokenward:",
    apps: &[],
    wants_sdk_secret: false,
    wants_agent_id: false,
    wants_corp_id: false,
    token: layout("${credential}", TOKEN),
    jsapi: None,
    wx_card: None,
    ticket_prefix: None,
};

const WXJAVA: RedisPreset = RedisPreset {
    name: "wxjava",
    prefix: "wx:",
    token: layout("access_token:${app_id}", TOKEN),
    jsapi: Some(layout("ticket:key:${app_id}:jsapi", TOKEN)),
    wx_card: Some(layout("ticket:key:${app_id}:wx_card", TOKEN)),
    ..PLAIN
};

/// What a PHP program reads as a string, and what it does not: a bare token is a miss, upon which it fetches.
const PHP: &str = "${php token}";
const JSON: &str = "${json token}";
const TOKEN: &str = "${token}";

/// All of them.
pub(crate) const PRESETS: [RedisPreset; 13] = [
    RedisPreset { jsapi: Some(PLAIN.token), wx_card: Some(PLAIN.token), ..PLAIN },
    WXJAVA,
    RedisPreset { name: "wxjava-mini", prefix: "wa:", ..WXJAVA },
    RedisPreset {
        name: "wxjava-work",
        prefix: "wx:cp:",
        wants_agent_id: true,
        token: layout("wechat_cp_access_token_key:${app_id}:AGENT", TOKEN),
        ..PLAIN
    },
    RedisPreset {
        name: "wxjava-open",
        prefix: "wx:open:",
        token: layout("wechat_component_access_token:${app_id}", TOKEN),
        ..PLAIN
    },
    RedisPreset {
        name: "easywechat6",
        prefix: "easywechat:",
        apps: &["official_account", "mini_app", "work"],
        wants_sdk_secret: true,
        token: layout("APP.access_token.${app_id}.${sdk_secret}STABLE", PHP),
        jsapi: Some(layout("official_account.jsapi_ticket.${app_id}", PHP)),
        ..PLAIN
    },
    RedisPreset {
        name: "easywechat5",
        prefix: "easywechat.kernel.access_token.",
        apps: &["official_account", "work"],
        wants_sdk_secret: true,
        token: Layout {
            key: Key::EasyWechat5,
            ..layout("", "a:2:{s:12:\"access_token\";${php token}s:10:\"expires_in\";i:${expires_in};}")
        },
        ticket_prefix: Some("easywechat.basic_service.jssdk.ticket."),
        jsapi: Some(layout(
            "jsapi.${app_id}",
            "a:2:{s:6:\"ticket\";${php token}s:10:\"expires_in\";i:${expires_in};}",
        )),
        ..PLAIN
    },
    RedisPreset {
        name: "node-easywechat",
        prefix: "",
        apps: &["official_account", "mini_app", "work"],
        wants_sdk_secret: true,
        token: layout("APP.access_token.${app_id}.${sdk_secret}STABLE", TOKEN),
        jsapi: Some(layout("official_account.jsapi_ticket.${app_id}", TOKEN)),
        ..PLAIN
    },
    RedisPreset {
        name: "silenceper",
        prefix: "gowechat_",
        apps: &["officialaccount", "miniprogram", "work"],
        token: layout("APP__access_token_${app_id}AGENT", TOKEN),
        jsapi: Some(layout("APP__jsapi_ticket_${app_id}", TOKEN)),
        ..PLAIN
    },
    RedisPreset {
        name: "silenceper-stable",
        prefix: "gowechat_",
        apps: &["officialaccount", "miniprogram"],
        token: layout("APP__stable_access_token_${app_id}", TOKEN),
        jsapi: Some(layout("APP__jsapi_ticket_${app_id}", TOKEN)),
        ..PLAIN
    },
    RedisPreset {
        name: "powerwechat",
        prefix: "powerwechat.access_token.",
        wants_sdk_secret: true,
        token: layout(
            "${md5 app_id sdk_secret}",
            "{\"access_token\":${json token},\"expires_in\":${expires_in}}",
        ),
        ..PLAIN
    },
    RedisPreset {
        name: "wechatpy",
        prefix: "wechatpy:",
        // Its version 2 believes an old moment that was left behind more than a new token: both are written together.
        token: Layout {
            second: Some(("${app_id}_access_token_expires_at", "${expires_at}")),
            ..layout("${app_id}_access_token", JSON)
        },
        jsapi: Some(Layout {
            second: Some(("${app_id}_jsapi_ticket_expires_at", "${expires_at}")),
            ..layout("${app_id}_jsapi_ticket", JSON)
        }),
        wx_card: Some(Layout {
            second: Some(("${app_id}_jsapi_card_ticket_expires_at", "${expires_at}")),
            ..layout("${app_id}_jsapi_card_ticket", JSON)
        }),
        ..PLAIN
    },
    RedisPreset {
        name: "dingtalk-sdk",
        prefix: "dingtalk:",
        wants_corp_id: true,
        token: layout("secret:CORP:app_key:${app_id}:access_token", JSON),
        ..PLAIN
    },
];

/// A key, which may contain what an SDK has as its secret, and the shape of its value.
#[derive(Clone, Debug)]
pub(crate) struct KeyedValue {
    pub(crate) key: Zeroizing<String>,
    pub(crate) value: Template,
    /// Whether a preset says so.
    pub(crate) is_preset: bool,
}

impl RedisPreset {
    /// The preset of this name.
    pub(crate) fn find(name: &str) -> Option<&'static RedisPreset> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Whether the SDK keeps such a ticket there.
    pub(crate) fn keeps(&self, kind: TicketKind) -> bool {
        self.ticket(kind).is_some()
    }

    /// How `sdk_secret` stands in its keys; `None` where it does not.
    pub(crate) fn sdk_secret_in_key(&self, options: &KeyOptions) -> Option<InKey> {
        match self.layout(options).key {
            Key::EasyWechat5 => Some(InKey::AsDigest),
            Key::Template(key) => {
                let key = template(&self.with_options(key, options));
                let shown = if key.shows_sdk_secret() { InKey::AsText } else { InKey::AsDigest };
                key.has_sdk_secret().then_some(shown)
            }
        }
    }

    fn layout(&self, options: &KeyOptions) -> Layout {
        options.ticket.and_then(|kind| self.ticket(kind)).unwrap_or(self.token)
    }

    fn ticket(&self, kind: TicketKind) -> Option<Layout> {
        match kind {
            TicketKind::Jsapi => self.jsapi,
            TicketKind::WxCard => self.wx_card,
        }
    }

    /// Its keys for an app, the token's first.
    pub(crate) fn keyed(&self, options: &KeyOptions, subject: &Subject) -> Vec<KeyedValue> {
        let ticket = options.ticket.and_then(|kind| self.ticket(kind));
        let Layout { key, value, second } = ticket.unwrap_or(self.token);
        let prefix = self.ticket_prefix.filter(|_| ticket.is_some()).unwrap_or(self.prefix);
        let prefix = options.prefix.as_deref().unwrap_or(prefix);
        let one = |key: Key, value: &str| {
            let key = match key {
                Key::Template(key) => template(&self.with_options(key, options)).fill_constant(subject),
                Key::EasyWechat5 => easywechat5(options, subject),
            };
            let key = Zeroizing::new(format!("{prefix}{}", key.as_str()));
            KeyedValue { key, value: template(value), is_preset: true }
        };
        let mut all = vec![one(key, value)];
        all.extend(second.map(|(key, value)| one(Key::Template(key), value)));
        all
    }

    fn with_options(&self, key: &str, options: &KeyOptions) -> String {
        let app = options.app.as_deref().or(self.apps.first().copied()).unwrap_or_default();
        let stable = match (app, options.sdk_stable) {
            ("work", _) => "",
            (_, true) => ".1",
            (_, false) => ".0",
        };
        let agent = match (self.wants_agent_id, options.agent_id.as_str()) {
            (false, "") => String::new(),
            (false, agent) => format!("_{agent}"),
            (true, agent) => agent.to_owned(),
        };
        key.replace("APP", app)
            .replace("AGENT", &agent)
            .replace("CORP", &options.corp_id)
            .replace("STABLE", stable)
    }
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("the templates of presets are read by a test")
}

/// The digest of the request's fields, as PHP's `json_encode` writes them.
fn easywechat5(options: &KeyOptions, subject: &Subject) -> Zeroizing<String> {
    let secret = subject.sdk_secret.as_ref().map_or("", |secret| secret.expose());
    let text = |text: &str| {
        // PHP escapes slashes, and whatever is not ASCII.
        let json = Encoding::Json.write(text);
        let mut out = Zeroizing::new(String::new());
        for char in json.replace('/', "\\/").chars() {
            match u32::from(char) {
                code if code < 128 => out.push(char),
                _ => char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        out
    };
    let (id, secret) = (text(&subject.app_id), text(secret));
    let fields = Zeroizing::new(match options.app.as_deref() {
        Some("work") => format!("{{\"corpid\":{},\"corpsecret\":{}}}", id.as_str(), secret.as_str()),
        _ => format!(
            "{{\"grant_type\":\"client_credential\",\"appid\":{},\"secret\":{}}}",
            id.as_str(),
            secret.as_str()
        ),
    });
    Encoding::Md5.write(&fields)
}

#[cfg(test)]
mod tests {
    use super::super::delivery::testing::{delivery, subject};
    use super::*;

    fn written(name: &str, options: &KeyOptions) -> Vec<String> {
        let keyed = RedisPreset::find(name).unwrap().keyed(options, &subject());
        let text = |it: &KeyedValue| {
            format!("{} {}", it.key.as_str(), it.value.fill(&subject(), &delivery()).as_str())
        };
        keyed.iter().map(text).collect()
    }

    fn plainly(name: &str) -> Vec<String> {
        written(name, &KeyOptions::default())
    }

    const APP: &str = "wx0123456789abcdef";

    #[test]
    fn every_preset_writes_something() {
        for preset in &PRESETS {
            assert!(plainly(preset.name).iter().all(|line| line.len() > 10), "{}", preset.name);
        }
    }

    #[test]
    fn wxjava() {
        assert_eq!(plainly("wxjava"), [format!("wx:access_token:{APP} tok\"en")]);
        assert_eq!(plainly("wxjava-mini"), [format!("wa:access_token:{APP} tok\"en")]);
        assert_eq!(plainly("wxjava-open"), [format!("wx:open:wechat_component_access_token:{APP} tok\"en")]);
        let agent = KeyOptions { agent_id: "1000002".to_owned(), ..KeyOptions::default() };
        assert_eq!(
            written("wxjava-work", &agent),
            [format!("wx:cp:wechat_cp_access_token_key:{APP}:1000002 tok\"en")]
        );
    }

    #[test]
    fn easywechat() {
        let key = format!("official_account.access_token.{APP}.sdk-secret.0");
        assert_eq!(plainly("easywechat6"), [format!("easywechat:{key} s:6:\"tok\"en\";")]);
        assert_eq!(plainly("node-easywechat"), [format!("{key} tok\"en")]);
        let mini = KeyOptions { app: Some("mini_app".to_owned()), sdk_stable: true, ..KeyOptions::default() };
        let key = format!("easywechat:mini_app.access_token.{APP}.sdk-secret.1");
        assert_eq!(written("easywechat6", &mini), [format!("{key} s:6:\"tok\"en\";")]);
        let work = KeyOptions { app: Some("work".to_owned()), ..KeyOptions::default() };
        let key = format!("easywechat:work.access_token.{APP}.sdk-secret");
        assert_eq!(written("easywechat6", &work), [format!("{key} s:6:\"tok\"en\";")]);
    }

    /// The digest was made by PHP: `md5(json_encode([...]))`.
    #[test]
    fn easywechat5_has_a_digest_of_its_request() {
        let value = r#"a:2:{s:12:"access_token";s:6:"tok"en";s:10:"expires_in";i:3600;}"#;
        assert_eq!(
            plainly("easywechat5"),
            [format!("easywechat.kernel.access_token.34eba4bacb5aed9496264a7fad13bed1 {value}")]
        );
    }

    #[test]
    fn silenceper_has_two_underscores() {
        assert_eq!(plainly("silenceper"), [format!("gowechat_officialaccount__access_token_{APP} tok\"en")]);
        assert_eq!(
            plainly("silenceper-stable"),
            [format!("gowechat_officialaccount__stable_access_token_{APP} tok\"en")]
        );
        let work = KeyOptions {
            app: Some("work".to_owned()),
            agent_id: "1000002".to_owned(),
            ..KeyOptions::default()
        };
        assert_eq!(
            written("silenceper", &work),
            [format!("gowechat_work__access_token_{APP}_1000002 tok\"en")]
        );
    }

    #[test]
    fn powerwechat_has_a_digest_of_app_and_secret() {
        assert_eq!(
            plainly("powerwechat"),
            [concat!(
                "powerwechat.access_token.f5a94d07f92854b59a0b8f6ef3082265 ",
                r#"{"access_token":"tok\"en","expires_in":3600}"#
            )]
        );
    }

    #[test]
    fn wechatpy_has_two_keys() {
        assert_eq!(
            plainly("wechatpy"),
            [
                format!(r#"wechatpy:{APP}_access_token "tok\"en""#),
                format!("wechatpy:{APP}_access_token_expires_at 1795176000"),
            ]
        );
    }

    #[test]
    fn dingtalk_sdk() {
        let corp = KeyOptions { corp_id: "ding1".to_owned(), ..KeyOptions::default() };
        assert_eq!(
            written("dingtalk-sdk", &corp),
            [format!(r#"dingtalk:secret:ding1:app_key:{APP}:access_token "tok\"en""#)]
        );
    }

    fn ticket(name: &str, kind: TicketKind) -> Vec<String> {
        written(name, &KeyOptions { ticket: Some(kind), ..KeyOptions::default() })
    }

    #[test]
    fn tickets_have_keys_of_their_own() {
        for (name, line) in [
            ("plain", "tokenward:shop tok\"en".to_owned()),
            ("wxjava", format!("wx:ticket:key:{APP}:jsapi tok\"en")),
            ("wxjava-mini", format!("wa:ticket:key:{APP}:jsapi tok\"en")),
            ("easywechat6", format!("easywechat:official_account.jsapi_ticket.{APP} s:6:\"tok\"en\";")),
            (
                "easywechat5",
                format!("easywechat.basic_service.jssdk.ticket.jsapi.{APP} ")
                    + r#"a:2:{s:6:"ticket";s:6:"tok"en";s:10:"expires_in";i:3600;}"#,
            ),
            ("node-easywechat", format!("official_account.jsapi_ticket.{APP} tok\"en")),
            ("silenceper", format!("gowechat_officialaccount__jsapi_ticket_{APP} tok\"en")),
            ("silenceper-stable", format!("gowechat_officialaccount__jsapi_ticket_{APP} tok\"en")),
        ] {
            assert_eq!(ticket(name, TicketKind::Jsapi), [line]);
        }
        assert_eq!(ticket("wxjava", TicketKind::WxCard), [format!("wx:ticket:key:{APP}:wx_card tok\"en")]);
    }

    #[test]
    fn wechatpy_has_two_keys_for_each_ticket() {
        let two = |name: &str| {
            [
                format!(r#"wechatpy:{APP}_{name} "tok\"en""#),
                format!("wechatpy:{APP}_{name}_expires_at 1795176000"),
            ]
        };
        assert_eq!(ticket("wechatpy", TicketKind::Jsapi), two("jsapi_ticket"));
        assert_eq!(ticket("wechatpy", TicketKind::WxCard), two("jsapi_card_ticket"));
    }

    #[test]
    fn another_prefix_takes_the_place_of_the_default() {
        let own = KeyOptions { prefix: Some("wx:mp:multi:".to_owned()), ..KeyOptions::default() };
        assert_eq!(written("wxjava", &own), [format!("wx:mp:multi:access_token:{APP} tok\"en")]);
    }
}

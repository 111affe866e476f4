//! The answers that faults give in a platform's place, each in the platform's own form.

use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde_json::{Value, json};

use crate::answer::{Answer, Verdict};
use crate::baidu;
use crate::desk::Desk;
use crate::fault::{FaultKind, ToldLife};
use crate::reply::Reply;
use crate::route::Platform;
use crate::wechat::Refusal;

/// The answer for a kind that stands in for the platform's; `None` when the kind is a reset.
pub(crate) fn answer(kind: &FaultKind, desk: &mut Desk<'_>) -> Option<Answer> {
    match kind {
        FaultKind::Busy => Some(busy(desk)),
        FaultKind::Errcode { errcode, errmsg, error, status } => {
            let reason = error.clone().unwrap_or_else(|| errcode.to_string());
            let app = desk.target.app.as_ref().map(|(app, _)| *app);
            desk.write_refused(app, reason);
            Some(match desk.route.platform() {
                Platform::OAuth2 => {
                    let error = error.as_deref().unwrap_or("server_error");
                    let description = errmsg.as_deref().unwrap_or("refused by the emulator");
                    let body = json!({ "error": error, "error_description": description });
                    Answer::refused(Reply::of_json(status.unwrap_or(StatusCode::BAD_REQUEST), &body))
                }
                Platform::Baidu => baidu::api_error(*errcode, baidu_text(*errcode, errmsg.as_deref())),
                _ => match errmsg {
                    Some(errmsg) => Refusal(*errcode).answer_saying(errmsg),
                    None => Refusal(*errcode).answer(desk),
                },
            })
        }
        FaultKind::Status(status) => {
            let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or("status"));
            Some(Answer::refused(Reply::raw(*status, "text/plain", text)))
        }
        FaultKind::Html(status) => {
            let page = "<!DOCTYPE html>\n<html><head><title>Gateway</title></head>\
                        <body><h1>Something is between you and the platform</h1></body></html>\n";
            Some(Answer::refused(Reply::raw(*status, "text/html; charset=utf-8", page)))
        }
        _ => None,
    }
}

fn busy(desk: &mut Desk<'_>) -> Answer {
    let app = desk.target.app.as_ref().map(|(app, _)| *app);
    desk.write_refused(app, "busy");
    match desk.route.platform() {
        Platform::OAuth2 => {
            let body = json!({ "error": "temporarily_unavailable", "error_description": "busy" });
            let reply = Reply::of_json(StatusCode::SERVICE_UNAVAILABLE, &body);
            Answer::refused(reply.with(RETRY_AFTER, "1").with(CACHE_CONTROL, "no-store"))
        }
        Platform::Baidu => baidu::api_error(2, "Service temporarily unavailable"),
        Platform::Storage => {
            let xml = "<Error><Code>ServiceUnavailable</Code><Message>Please reduce your request rate.</Message></Error>";
            Answer::refused(Reply::raw(StatusCode::SERVICE_UNAVAILABLE, "application/xml", xml))
        }
        Platform::Sdk => {
            let body =
                json!({ "code": "SYS_ERR", "message": "system error", "requestId": desk.chance.hex(32) });
            Answer::refused(Reply::of_json(StatusCode::OK, &body))
        }
        _ => Refusal::SYSTEM_ERROR.answer(desk),
    }
}

fn baidu_text(code: i64, given: Option<&str>) -> &str {
    given.unwrap_or(match code {
        1 => "Unknown error",
        2 => "Service temporarily unavailable",
        3 => "Unsupported openapi method",
        4 => "Open api request limit reached",
        6 => "No permission to access data",
        17 => "Open api daily request limit reached",
        18 => "Open api qps request limit reached",
        100 => "Invalid parameter",
        110 => "Access token invalid or no longer valid",
        111 => "Access token expired",
        _ => "refused by the emulator",
    })
}

/// The same answer, telling another life than the token's.
pub(crate) fn with_told_life(mut answer: Answer, told: &ToldLife) -> Answer {
    if answer.verdict != Verdict::Granted {
        return answer;
    }
    if let Some(Value::Object(mut fields)) = answer.reply.json() {
        let truth = fields.remove("expires_in").unwrap_or_default();
        match told {
            ToldLife::Missing => {}
            ToldLife::AsText => {
                fields.insert("expires_in".to_owned(), json!(truth.to_string()));
            }
            ToldLife::Literal(value) => {
                fields.insert("expires_in".to_owned(), value.clone());
            }
        }
        answer.reply.body = Value::Object(fields).to_string().into();
    }
    answer
}

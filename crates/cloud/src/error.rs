//! The platform's refusals, with what they mean and what to do.
//!
//! One line a code. A code that is not here keeps its number and message and is of the kind [`Kind::Other`].

use std::fmt;

/// A refusal of the platform: `errcode` and `errmsg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// `errcode`
    pub code: i64,
    /// `errmsg`
    pub message: String,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The platform is busy or broken.
    Platform,
    /// The platform took too long; whether the call had its effect is not known.
    Timeout,
    /// The access token.
    Token,
    /// A right that is missing.
    Permission,
    /// A quota, for now or for today.
    Quota,
    /// The environment.
    Environment,
    /// The request or its parameters.
    Request,
    /// The database statement.
    Statement,
    /// A collection, file, function or other thing that is not there.
    Missing,
    /// The database refused an operation.
    Database,
    /// The storage refused an operation.
    Storage,
    /// A cloud function failed.
    Function,
    /// Too large an answer or request.
    TooLarge,
    /// Not in the table.
    Other,
}

struct Line {
    code: i64,
    kind: Kind,
    again: bool,
    meaning: &'static str,
    next_step: &'static str,
}

macro_rules! table {
    ($($code:literal $kind:ident $again:ident $meaning:literal $next_step:expr;)+) => {
        const TABLE: &[Line] = &[$(Line {
            code: $code,
            kind: Kind::$kind,
            again: again::$again,
            meaning: $meaning,
            next_step: $next_step,
        },)+];
    };
}

mod again {
    #[expect(non_upper_case_globals, reason = "reads as a word in the table")]
    pub(super) const again: bool = true;
    #[expect(non_upper_case_globals, reason = "reads as a word in the table")]
    pub(super) const stop: bool = false;
}

const WAIT: &str = "Try again after a moment; if it stays, look at the platform's announcements.";
const MAYBE: &str =
    "Find out whether the call had its effect before it is made again; make the statement smaller.";
const NEW_TOKEN: &str =
    "Get the current token and make the call again; a token of another app is refused as well.";
const RIGHTS: &str = "Give the app or the third-party platform the right in the platform's console.";
const QUOTA: &str = "Spread the calls, or buy a larger plan in the cloud console.";
const ENV: &str =
    "Check `env`: it is the id in the cloud console, and it must belong to the app of the token.";
const BODY: &str = "Correct the body; the message names what is missing or wrong.";
const SCRIPT: &str =
    "Correct the statement; the message says where. Statements that are built do not have this error.";
const SMALLER: &str = "Ask for less: a limit, fewer fields, several calls.";
const FUNCTION: &str = "Read the function's log in the cloud console.";
const DATABASE: &str = "Read the message; it carries the database's own words.";

table! {
    -1 Platform again "The platform is busy" WAIT;
    -1000 Platform again "The platform is busy" WAIT;
    40001 Token again "The access token is not valid, or not the latest" NEW_TOKEN;
    40014 Token again "The access token is not valid" NEW_TOKEN;
    40066 Request stop "There is no such path" "Check the path of the call.";
    40097 Request stop "An argument is wrong" BODY;
    40101 Request stop "A parameter is missing" BODY;
    41001 Token stop "The call has no access token" "Put the token into the query as `access_token`.";
    42001 Token again "The access token has expired" NEW_TOKEN;
    43002 Request stop "The call must be a POST" "Send it as POST.";
    44002 Request stop "The call has no body" "Send at least `{}`.";
    45009 Quota stop "The calls of this day or hour are used up" "Wait for the next period.";
    47001 Request stop "The body is not JSON, or a field of it is missing" BODY;
    85088 Permission stop "Cloud development is not opened for this app" "Open it in the console of the app.";
    102002 Timeout again "The service in cloud hosting took too long" MAYBE;
    102005 Request stop "Cloud hosting does not take this method" "Use a method that the service has.";
    -501000 Platform stop "The platform cannot carry it out" "Read the message: often the environment or the function does not exist.";
    -501001 Platform again "The cloud has an error of its own" WAIT;
    -501002 Timeout again "The cloud took too long" MAYBE;
    -501003 Quota again "Too many requests" QUOTA;
    -501004 Quota again "Too many requests at the same time" QUOTA;
    -501005 Environment stop "The environment is not valid" ENV;
    -501006 Request stop "A common parameter is wrong" BODY;
    -501007 Request stop "A parameter is wrong" "Read the message; check `env` as well, which is reported like this, too.";
    -501008 Permission stop "The source of the request is not allowed" RIGHTS;
    -501009 Missing stop "The resource is not valid or not there" ENV;
    -501015 Quota stop "The quota of reads is used up" QUOTA;
    -501016 Quota stop "The quota of writes is used up" QUOTA;
    -501017 Quota stop "The disk is full" "Remove data, or buy a larger plan in the cloud console.";
    -501018 Platform again "The resource is not available" WAIT;
    -501019 Permission stop "The operation is not allowed" RIGHTS;
    -501020 Request stop "A parameter is not known" BODY;
    -501021 Request stop "The operation is not supported" BODY;
    -501023 Permission stop "There is no permission" "Check the safety rules in the cloud console.";
    -502001 Database stop "The database refused the request" DATABASE;
    -502002 Statement stop "The database does not know the command" SCRIPT;
    -502003 Permission stop "The database does not permit it" "Check the permissions of the collection in the cloud console.";
    -502004 Quota stop "There are too many collections" "Remove collections, or buy a larger plan.";
    -502005 Missing stop "There is no such collection" "Check its name and `env`; a collection must be made before it is used.";
    -502010 Database stop "The database operation failed" DATABASE;
    -502011 Timeout again "The database took too long" "Add an index for the statement, or ask for less.";
    -502012 Database stop "The document cannot be added" "Read the message: often the id or a unique index is taken.";
    -502013 Database stop "The collection cannot be made" DATABASE;
    -502014 Database stop "The documents cannot be removed" DATABASE;
    -502015 Database stop "The documents cannot be read" DATABASE;
    -503001 Storage again "The storage failed" WAIT;
    -503002 Permission stop "The storage does not permit it" "Check the permissions of the storage in the cloud console.";
    -503003 Missing stop "There is no such file" "Check the file id and `env`.";
    -503004 Storage stop "The signature for the storage is wrong" "Ask for the upload's parameters again and send them unchanged.";
    -504001 Function stop "The function could not be called" "Check its name and that it is deployed in this environment.";
    -504002 Function stop "The function failed" FUNCTION;
    -601001 Platform again "WeChat has an error of its own" WAIT;
    -601002 Request stop "An argument is wrong" BODY;
    -601003 Platform again "WeChat's network failed" WAIT;
    -601004 Permission stop "The API is not permitted" RIGHTS;
    -601027 Environment stop "There is no such environment" ENV;
    -601034 Permission stop "The cloud service is not opened" "Open cloud development in the console of the app.";
    -602001 TooLarge stop "The result is larger than 1 MB" SMALLER;
    -602002 Statement stop "The statement cannot be understood" SCRIPT;
    -604001 TooLarge stop "The function's result is larger than 1 MB" "Let the function return less, or a file.";
    -604100 Request stop "The function calls an open API that does not exist" FUNCTION;
    -604101 Permission stop "The function may not call this open API" "List it in the function's `permissions.openapi` and deploy again.";
    -604102 Timeout again "The function's call of an open API took too long" MAYBE;
    -604103 Platform again "The function's call of an open API met an error of the platform" WAIT;
    -604104 Permission stop "The function's call of an open API has a source that is not allowed" FUNCTION;
    -605101 Statement stop "The statement cannot be understood" SCRIPT;
    -606001 TooLarge stop "The body for cloud hosting is larger than 100 KB" SMALLER;
    -606002 TooLarge stop "The answer of cloud hosting is larger than 1 MB" SMALLER;
    -606003 Quota stop "The account of cloud hosting is in arrears" "Pay in the cloud console.";
    -606006 Permission stop "Cloud hosting does not take anonymous calls" RIGHTS;
}

impl CloudError {
    /// A refusal.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> CloudError {
        CloudError { code, message: message.into() }
    }

    fn line(&self) -> Option<&'static Line> {
        TABLE.iter().find(|line| line.code == self.code)
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.line() {
            Some(line) => line.kind,
            // WeChat's own part of the cloud, whose single codes say little.
            None if (-601_026..=-601_001).contains(&self.code) => Kind::Platform,
            None => Kind::Other,
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        self.line().map_or("The platform refused the call", |line| line.meaning)
    }

    /// What to do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        self.line().map_or("Read the message; the code is not in our table.", |line| line.next_step)
    }

    /// Whether the same call can succeed later or with a new token. After [`Kind::Timeout`] it may already have had
    /// its effect.
    #[must_use]
    pub fn is_worth_repeating(&self) -> bool {
        self.line().is_some_and(|line| line.again)
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.meaning(), self.code, self.message)
    }
}

impl std::error::Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_stands_once() {
        let mut codes: Vec<_> = TABLE.iter().map(|line| line.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let error = CloudError::new(-502_005, "database collection not exists");
        assert_eq!(error.kind(), Kind::Missing);
        assert!(!error.is_worth_repeating());
        assert_eq!(
            error.to_string(),
            "There is no such collection (-502005: database collection not exists)"
        );
        assert!(CloudError::new(42_001, "").is_worth_repeating());
        assert_eq!(CloudError::new(123_456, "?").kind(), Kind::Other);
    }
}

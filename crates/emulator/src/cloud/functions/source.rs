//! Who calls a function.

/// Who calls a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A client of the cloud API, with the app whose token it carried.
    Http(String),
    /// The same, some time ago.
    Delayed(String),
    /// A timer trigger, by its name.
    Timer(String),
    /// Another function, through the SDK.
    Function,
}

impl Source {
    /// What the platform's `SOURCE` says. For delayed tasks this is not documented.
    pub(super) fn platform_word(&self) -> &'static str {
        match self {
            Source::Http(_) | Source::Delayed(_) => "wx_http",
            Source::Timer(_) => "wx_trigger",
            Source::Function => "scf",
        }
    }

    /// What the emulator's own list of runs says.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Source::Http(_) => "http",
            Source::Delayed(_) => "delayed",
            Source::Timer(_) => "timer",
            Source::Function => "function",
        }
    }

    /// The app on whose behalf it calls, if the call itself says so.
    pub(super) fn app_id(&self) -> Option<&str> {
        match self {
            Source::Http(app_id) | Source::Delayed(app_id) => Some(app_id),
            Source::Timer(_) | Source::Function => None,
        }
    }
}

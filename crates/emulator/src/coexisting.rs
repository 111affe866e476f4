//! Tokens that live side by side: each works until its own end, whatever is issued after it.

use std::collections::{HashMap, VecDeque};

use crate::apps::AppIndex;
use crate::moment::Moment;

/// How many tokens are remembered, dead ones included. Beyond it the oldest is forgotten, so that an endless
/// run of fetches cannot fill the memory.
const REMEMBERED: usize = 100_000;

/// A remembered token.
#[derive(Clone, Debug)]
pub(crate) struct Coexisting<T> {
    pub(crate) app: AppIndex,
    pub(crate) ends: Moment,
    /// What else the platform knows about it.
    pub(crate) details: T,
}

/// All tokens of one platform.
#[derive(Clone, Debug)]
pub(crate) struct CoexistingTokens<T> {
    by_value: HashMap<String, Coexisting<T>>,
    oldest_first: VecDeque<String>,
}

impl<T> Default for CoexistingTokens<T> {
    fn default() -> Self {
        Self { by_value: HashMap::new(), oldest_first: VecDeque::new() }
    }
}

impl<T> CoexistingTokens<T> {
    pub(crate) fn find(&self, value: &str) -> Option<&Coexisting<T>> {
        self.by_value.get(value)
    }

    pub(crate) fn insert(&mut self, value: String, token: Coexisting<T>) {
        if self.oldest_first.len() == REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_value.remove(&oldest);
        }
        self.oldest_first.push_back(value.clone());
        self.by_value.insert(value, token);
    }

    /// Forgets the tokens of one app, or of all, and returns how many were still alive.
    pub(crate) fn forget(&mut self, app: Option<AppIndex>, now: Moment) -> usize {
        let mut alive = 0;
        self.by_value.retain(|_, token| {
            let concerned = app.is_none_or(|app| app == token.app);
            alive += usize::from(concerned && now < token.ends);
            !concerned
        });
        self.oldest_first.retain(|value| self.by_value.contains_key(value));
        alive
    }
}

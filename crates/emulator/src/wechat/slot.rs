//! The tokens that one WeChat interface remembers for one app.

use crate::moment::Moment;

/// A token that the platform remembers.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) value: String,
    /// When its whole life is over.
    pub(crate) expires: Moment,
    /// When it stops working: `expires`, or earlier when a newer token cut it short.
    pub(crate) ends: Moment,
}

impl Token {
    pub(crate) fn was_cut_short(&self) -> bool {
        self.ends < self.expires
    }
}

/// Tokens from the oldest to the newest. The classic slot holds two at most while the strict rule is on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    tokens: Vec<Token>,
}

impl Slot {
    pub(crate) fn newest(&self) -> Option<&Token> {
        self.tokens.last()
    }

    pub(crate) fn find(&self, value: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.value == value)
    }

    pub(crate) fn push(&mut self, token: Token) {
        self.tokens.push(token);
    }

    /// No token here works beyond this moment.
    pub(crate) fn cut(&mut self, at: Moment) {
        for token in &mut self.tokens {
            token.ends = token.ends.min(at);
        }
    }

    /// Forgets all but the newest `kept` tokens.
    pub(crate) fn keep_newest(&mut self, kept: usize) {
        let dropped = self.tokens.len().saturating_sub(kept);
        self.tokens.drain(..dropped);
    }

    /// Forgets what has ended, except among the newest two, whose way of ending is still told to callers.
    pub(crate) fn forget_ended(&mut self, now: Moment) {
        let old = self.tokens.len().saturating_sub(2);
        let mut at = 0;
        self.tokens.retain(|token| {
            at += 1;
            at > old || now < token.ends
        });
    }

    /// Forgets everything and returns how many tokens were still alive.
    pub(crate) fn forget_all(&mut self, now: Moment) -> usize {
        std::mem::take(&mut self.tokens).iter().filter(|token| now < token.ends).count()
    }
}

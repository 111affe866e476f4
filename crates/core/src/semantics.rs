//! What a fetch does to the token before it.

/// How a platform issues tokens: a property of the platform, from which every rule of refreshing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueSemantics {
    /// Each fetch issues a new token; the one before lives on for a short overlap, the third kills the
    /// oldest at once (WeChat classic, Douyin, QQ mini programs).
    RotateWithOverlap,
    /// A fetch returns the same token until shortly before its end; only a forced fetch kills it (WeChat
    /// stable, WeCom, Feishu).
    IdempotentUntilNearExpiry,
    /// A fetch returns the same token and prolongs it (DingTalk).
    Sliding,
    /// Each fetch issues an independent token; all live to their own end (Baidu, OAuth 2.0 client
    /// credentials, GitHub Apps).
    Coexisting,
    /// A fetch redeems a refresh token that works only once (RFC 9700 §4.14, Slack rotation).
    SingleUseRefreshToken,
    /// Nothing is fetched: the platform pushes the value (WeChat component tickets, WeCom suite tickets).
    PushedSeed,
}

/// Which of a platform's ways to ask for a token is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FetchKind {
    /// The ordinary request.
    #[default]
    Plain,
    /// The request that makes the platform give up the live token (`force_refresh: true`).
    Forced,
}

impl IssueSemantics {
    /// Whether a fetch of this kind is exclusive: it harms the live token, so there must never be two at
    /// once, an intent is stored before it, and a lost answer is a danger.
    #[must_use]
    pub fn is_exclusive(self, kind: FetchKind) -> bool {
        match self {
            IssueSemantics::RotateWithOverlap | IssueSemantics::SingleUseRefreshToken => true,
            IssueSemantics::IdempotentUntilNearExpiry => kind == FetchKind::Forced,
            IssueSemantics::Sliding | IssueSemantics::Coexisting | IssueSemantics::PushedSeed => false,
        }
    }

    /// Whether the planned refresh itself is exclusive, so that holders must be told less than the true life.
    #[must_use]
    pub fn rotates(self) -> bool {
        self.is_exclusive(FetchKind::Plain)
    }

    /// Whether a fetch ahead of time yields a longer life without harming anybody.
    #[must_use]
    pub fn can_fetch_ahead(self) -> bool {
        matches!(self, IssueSemantics::Coexisting | IssueSemantics::Sliding)
    }

    /// Whether somebody else's fetch can kill our token, so that its early death tells of another fetcher.
    #[must_use]
    pub fn dies_by_foreign_fetch(self) -> bool {
        matches!(
            self,
            IssueSemantics::RotateWithOverlap
                | IssueSemantics::IdempotentUntilNearExpiry
                | IssueSemantics::SingleUseRefreshToken
        )
    }
}

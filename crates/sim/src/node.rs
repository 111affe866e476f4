//! The node under test: the core's fleet with a token and perhaps a ticket derived from it, and what readers see.

use std::sync::Arc;

use tokenward_core::credential::Spec;
use tokenward_core::effect::Effect;
use tokenward_core::fleet::{CredentialId, Effects, Fleet, Settings};
use tokenward_core::name::Name;
use tokenward_core::policy::Policy;
use tokenward_core::secret::Secret;
use tokenward_core::time::Now;
use tokenward_core::view::View;
use tokenward_store::{Memory, Store as _, Stored};

/// The token.
pub(crate) const ID: CredentialId = CredentialId(0);
/// The ticket that is derived from it, where there is one.
pub(crate) const TICKET: CredentialId = CredentialId(1);

const NAME: &str = "shop";
const TICKET_NAME: &str = "shop-ticket";

/// The rules of both.
#[derive(Clone)]
pub(crate) struct Policies {
    pub(crate) token: Arc<Policy>,
    pub(crate) ticket: Option<Arc<Policy>>,
}

/// A running node.
pub(crate) struct Node {
    pub(crate) fleet: Fleet,
    pub(crate) view: View,
    pub(crate) ticket_view: View,
    /// Counts lives: what was under way in an earlier one does not reach this one.
    pub(crate) life: u32,
}

impl Node {
    /// Starts on what the store holds. Says what was stored of the token and of the ticket, for the oracle.
    pub(crate) fn start(
        store: &Memory,
        policies: &Policies,
        salt: u64,
        boot_id: u64,
        now: Now,
    ) -> (Node, [Option<Stored>; 2]) {
        let opened = store.opened();
        let mut found = Vec::new();
        pollster::block_on(store.load(&mut |stored| found.push(stored))).expect("memory can be read");
        let last_crash = opened.last_crash;
        let settings = Settings { epoch: opened.epoch, last_crash, salt, boot_id, embedded: true };
        let mut fleet = Fleet::new(settings, now);
        let mut effects = Effects::new();
        let ticket = policies.ticket.as_ref().map(|policy| (TICKET_NAME, policy));
        for (name, policy) in [(NAME, &policies.token)].into_iter().chain(ticket) {
            let known = found.iter().find(|stored| stored.record.name.as_str() == name);
            let known = known.map(|stored| {
                let token = stored.token.as_deref().and_then(|sealed| std::str::from_utf8(sealed).ok());
                (&stored.record, token.map(Secret::new))
            });
            let credential = fleet.build(spec(name, policy), known, now);
            fleet.add(credential, now, &mut effects);
        }
        if policies.ticket.is_some() {
            fleet.derive(TICKET, ID).expect("a token needs no ticket");
        }
        let (view, ticket_view) = (View::pending(), View::pending());
        let mut node = Node { fleet, view, ticket_view, life: opened.epoch };
        for (id, effect) in effects {
            if let Effect::Publish { view } = effect {
                node.show(id, *view);
            }
        }
        let (token, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|stored| stored.record.name.as_str() == NAME);
        (node, [token.into_iter().next(), others.into_iter().next()])
    }

    pub(crate) fn show(&mut self, id: CredentialId, view: View) {
        if id == ID {
            self.view = view;
        } else {
            self.ticket_view = view;
        }
    }
}

fn spec(name: &str, policy: &Arc<Policy>) -> Spec {
    Spec {
        name: Name::parse(name).expect("a good name"),
        fingerprint: [1; 32],
        config_mark: [1; 16],
        policy: Arc::clone(policy),
    }
}

/// The platform's number of a token.
pub(crate) fn number(token: &Secret) -> u64 {
    token.expose().parse().expect("the simulated platform issues numbers")
}

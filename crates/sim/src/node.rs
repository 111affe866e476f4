//! The node under test: the core's fleet with one credential, and what readers see of it.

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

/// The one credential.
pub(crate) const ID: CredentialId = CredentialId(0);

/// A running node.
pub(crate) struct Node {
    pub(crate) fleet: Fleet,
    pub(crate) view: View,
    /// Counts lives: what was under way in an earlier one does not reach this one.
    pub(crate) life: u32,
}

impl Node {
    /// Starts on what the store holds. Says what was stored, for the oracle.
    pub(crate) fn start(
        store: &Memory,
        policy: &Arc<Policy>,
        salt: u64,
        boot_id: u64,
        now: Now,
    ) -> (Node, Option<Stored>) {
        let opened = store.opened();
        let mut found = None;
        pollster::block_on(store.load(&mut |stored| found = Some(stored))).expect("memory can be read");
        let spec = Spec {
            name: Name::parse("shop").expect("a good name"),
            fingerprint: [1; 32],
            config_mark: [1; 16],
            policy: Arc::clone(policy),
        };
        let known = found.as_ref().map(|stored| {
            let token = stored.token.as_deref().and_then(|sealed| std::str::from_utf8(sealed).ok());
            (&stored.record, token.map(Secret::new))
        });
        let last_crash = opened.last_crash;
        let settings = Settings { epoch: opened.epoch, last_crash, salt, boot_id, embedded: true };
        let mut fleet = Fleet::new(settings, now);
        let credential = fleet.build(spec, known, now);
        let mut effects = Effects::new();
        fleet.add(credential, now, &mut effects);
        let mut node = Node { fleet, view: View::pending(), life: opened.epoch };
        for (_, effect) in effects {
            if let Effect::Publish { view } = effect {
                node.view = *view;
            }
        }
        (node, found)
    }
}

/// The platform's number of a token.
pub(crate) fn number(token: &Secret) -> u64 {
    token.expose().parse().expect("the simulated platform issues numbers")
}

//! All credentials, and who is to be woken when.
//!
//! Nothing is decided here: the fleet finds the credential, hands it the time, and remembers its alarm.

use std::collections::{HashMap, VecDeque};

use crate::credential::{Context, Credential, RefreshRefused, ReportAnswer, Source, SourceWish, Spec};
use crate::effect::Effect;
use crate::event::Event;
use crate::graph::{Cycle, Graph};
use crate::name::Name;
use crate::record::Record;
use crate::secret::Secret;
use crate::time::{Boot, Now, Span};
use crate::view::View;
use crate::wheel::Wheel;

/// A credential's place in the fleet, valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(pub u32);

/// What all credentials share.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Counts the times this store was opened, so that attempts never repeat.
    pub epoch: u32,
    /// The last of those times that did not end in good order.
    pub last_crash: Option<u32>,
    /// Differs from node to node, so that nodes do not retry in step.
    pub salt: u64,
    /// Which boot of which machine this is; 0 for unknown.
    pub boot_id: u64,
    /// Whether the store is ours alone.
    pub embedded: bool,
}

impl Settings {
    /// Whether the run before this one crashed.
    pub(crate) fn has_just_crashed(&self) -> bool {
        self.last_crash.is_some_and(|crash| crash.saturating_add(1) == self.epoch)
    }
}

/// All credentials of one node.
#[derive(Debug)]
pub struct Fleet {
    credentials: Vec<Option<Credential>>,
    names: HashMap<Name, CredentialId>,
    graph: Graph,
    wheel: Wheel,
    settings: Settings,
    next_attempt: u64,
    scratch: Vec<Effect>,
    draining: bool,
    /// Alarms that have rung and are not answered yet.
    due: VecDeque<u32>,
}

/// Effects with the credential they are for.
pub type Effects = Vec<(CredentialId, Effect)>;

impl Fleet {
    /// An empty fleet.
    #[must_use]
    pub fn new(settings: Settings, now: Now) -> Fleet {
        Fleet {
            credentials: Vec::new(),
            names: HashMap::new(),
            graph: Graph::default(),
            wheel: Wheel::new(now.boot),
            settings,
            next_attempt: u64::from(settings.epoch) << 32,
            scratch: Vec::new(),
            draining: false,
            due: VecDeque::new(),
        }
    }

    /// Adds a credential with what the store knows of it, and publishes its first view. What is to be done
    /// at once is done at the next `poll`.
    pub fn add(&mut self, credential: Credential, now: Now, effects: &mut Effects) -> CredentialId {
        let index = u32::try_from(self.credentials.len()).expect("fewer than four billion credentials");
        let id = CredentialId(index);
        self.names.insert(credential.name().clone(), id);
        let view = Box::new(credential.view(now));
        effects.push((id, Effect::Publish { view }));
        self.wheel.set(index, credential.next_wakeup());
        self.credentials.push(Some(credential));
        id
    }

    /// From now on `derived` is fetched with the token of `source`.
    ///
    /// # Errors
    /// `source` itself needs `derived`.
    pub fn derive(&mut self, derived: CredentialId, source: CredentialId) -> Result<(), Cycle> {
        self.graph.derive(derived, source)
    }

    /// Something happened to one credential.
    pub fn handle(&mut self, id: CredentialId, event: Event, now: Now, effects: &mut Effects) {
        self.step(id, now, effects, |credential, cx| credential.handle(event, cx));
    }

    /// Lets time do its work: hands a tick to credentials whose moment has come, `limit` of them at most,
    /// earliest first. The rest stay due, so that a crowd never begins more fetches than can be carried out.
    pub fn poll(&mut self, now: Now, limit: usize, effects: &mut Effects) {
        self.wheel.ring(now.boot, &mut self.due);
        for _ in 0..limit {
            let Some(index) = self.due.pop_front() else { break };
            self.handle(CredentialId(index), Event::Tick, now, effects);
        }
    }

    /// When to call `poll` next: now if some are due, else the earliest alarm before `horizon`, else `horizon`.
    #[must_use]
    pub fn next_wakeup(&self, now: Boot, horizon: Boot) -> Boot {
        if self.due.is_empty() { self.wheel.next(now, horizon) } else { now }
    }

    /// See [`Credential::report`]. `None` when there is no such credential.
    pub fn report(
        &mut self,
        id: CredentialId,
        generation: u64,
        proven: bool,
        now: Now,
        effects: &mut Effects,
    ) -> Option<ReportAnswer> {
        self.step(id, now, effects, |credential, cx| credential.report(generation, proven, cx))
    }

    /// See [`Credential::refresh`]. `None` when there is no such credential.
    pub fn refresh(
        &mut self,
        id: CredentialId,
        force: bool,
        now: Now,
        effects: &mut Effects,
    ) -> Option<Result<bool, RefreshRefused>> {
        self.step(id, now, effects, |credential, cx| credential.refresh(force, cx))
    }

    /// See [`Credential::fetch_ahead`]. `None` when there is no such credential.
    pub fn fetch_ahead(
        &mut self,
        id: CredentialId,
        min_ttl: Span,
        now: Now,
        effects: &mut Effects,
    ) -> Option<bool> {
        self.step(id, now, effects, |credential, cx| credential.fetch_ahead(min_ttl, cx))
    }

    /// From now on nothing is begun; what is running is finished, and what waits to be stored is hurried.
    pub fn drain(&mut self, now: Now, effects: &mut Effects) {
        self.draining = true;
        let unkept = self.iter().filter(|(_, credential)| credential.is_unkept());
        let unkept: Vec<CredentialId> = unkept.map(|(id, _)| id).collect();
        for id in unkept {
            self.step(id, now, effects, Credential::hurry);
        }
    }

    /// The credential with this id.
    #[must_use]
    pub fn get(&self, id: CredentialId) -> Option<&Credential> {
        self.credentials.get(id.0 as usize)?.as_ref()
    }

    /// The credential with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<CredentialId> {
        self.names.get(name).copied()
    }

    /// All credentials.
    pub fn iter(&self) -> impl Iterator<Item = (CredentialId, &Credential)> {
        let numbered = (0_u32..).map(CredentialId).zip(&self.credentials);
        numbered.filter_map(|(id, credential)| Some((id, credential.as_ref()?)))
    }

    /// Whether any fetch or keep is under way: what a graceful shutdown waits for.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.iter().any(|(_, credential)| credential.is_busy())
    }

    /// What readers see of a credential.
    #[must_use]
    pub fn view(&self, id: CredentialId, now: Now) -> Option<View> {
        Some(self.get(id)?.view(now))
    }

    /// The highest attempt number given out.
    #[must_use]
    pub fn last_attempt(&self) -> u64 {
        self.next_attempt
    }

    /// A credential from its configuration and from what the store knows of it, if anything.
    #[must_use]
    pub fn build(&self, spec: Spec, stored: Option<(&Record, Option<Secret>)>, now: Now) -> Credential {
        match stored {
            Some((record, token)) => Credential::restore(spec, record, token, &self.settings, now),
            None => Credential::unknown(spec, &self.settings, now),
        }
    }

    fn step<T>(
        &mut self,
        id: CredentialId,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut Credential, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let source = self.graph.source(id);
        let lent = source.map_or(Source::Unneeded, |source| {
            self.get(source).map_or(Source::Missing, |source| source.lend(now))
        });
        let credential = self.credentials.get_mut(id.0 as usize)?.as_mut()?;
        let mut context = Context {
            now,
            effects: &mut self.scratch,
            next_attempt: &mut self.next_attempt,
            salt: self.settings.salt,
            boot_id: self.settings.boot_id,
            draining: self.draining,
            embedded: self.settings.embedded,
            source: lent,
            source_wish: None,
        };
        let answer = act(credential, &mut context);
        let wish = context.source_wish;
        self.wheel.set(id.0, credential.next_wakeup());
        let shows = self.scratch.iter().any(|effect| matches!(effect, Effect::Publish { .. }));
        effects.extend(self.scratch.drain(..).map(|effect| (id, effect)));
        if let (Some(source), Some(wish)) = (source, wish) {
            self.grant_wish(id, source, wish, now, effects);
        }
        if shows {
            self.tell_derived(id, now, effects);
        }
        Some(answer)
    }

    fn grant_wish(
        &mut self,
        derived: CredentialId,
        source: CredentialId,
        wish: SourceWish,
        now: Now,
        effects: &mut Effects,
    ) {
        match wish {
            SourceWish::Token => self.handle(source, Event::Wanted, now, effects),
            SourceWish::Doubt { generation } => {
                let answer = self.report(source, generation, false, now, effects);
                if answer == Some(ReportAnswer::Superseded) {
                    // There is another one already, and nobody will tell of it again.
                    self.handle(derived, Event::SourceChanged, now, effects);
                }
            }
        }
    }

    /// Whoever is derived from a credential that shows something new may have waited for it. There is no way round
    /// along these edges, so this comes to an end.
    fn tell_derived(&mut self, source: CredentialId, now: Now, effects: &mut Effects) {
        for index in 0..self.graph.derived(source).len() {
            if let Some(derived) = self.graph.derived(source).get(index).copied() {
                self.handle(derived, Event::SourceChanged, now, effects);
            }
        }
    }
}

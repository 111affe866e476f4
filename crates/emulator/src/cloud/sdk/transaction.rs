//! Transactions: each works on its own state of the collections that it touches, and is refused in the end if one of them
//! changed meanwhile.
//!
//! The platform refuses only what touches the same documents; that this is coarser is a choice, and makes conflicts easy
//! to see.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, json};

use super::{Acted, SdkFailure};
use crate::cloud::collection::Change;
use crate::cloud::environment::{Answered, Around, Environment};
use crate::cloud::request::Request;

/// The open transactions.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    open: HashMap<String, Transaction>,
}

#[derive(Debug)]
struct Transaction {
    env: String,
    /// Milliseconds since 1970.
    begun: i64,
    /// Copies of what was touched.
    copies: Environment,
    /// What the copies were made of.
    versions: BTreeMap<String, (u64, u64)>,
    changes: Vec<(String, Vec<Change>)>,
}

/// A transaction ends by itself after this, in milliseconds.
const LONGEST: i64 = 30_000;
/// Transactions at once.
const MOST: usize = 100;

impl Transactions {
    /// Forgets those that took too long.
    pub(super) fn expire(&mut self, now: i64) {
        self.open.retain(|_, transaction| now.saturating_sub(transaction.begun) <= LONGEST);
    }

    /// Begins one, and answers its id.
    pub(super) fn begin(&mut self, around: &mut Around<'_>) -> Acted {
        if self.open.len() >= MOST {
            return Err(failed(format!("{MOST} transactions are open already")));
        }
        let id = around.chance.hex(32);
        let transaction = Transaction {
            env: around.env.to_owned(),
            begun: around.now,
            copies: Environment::default(),
            versions: BTreeMap::new(),
            changes: Vec::new(),
        };
        self.open.insert(id.clone(), transaction);
        Ok(Map::from_iter([("transactionId".into(), json!(id))]))
    }

    /// Carries out a request within one. The changes are made in the copies, and returned.
    pub(super) fn perform(
        &mut self,
        id: &str,
        request: Request,
        environment: &Environment,
        around: &mut Around<'_>,
    ) -> Result<(Vec<Change>, Answered), SdkFailure> {
        let transaction = self.open.get_mut(id).filter(|it| it.is_open(around)).ok_or_else(closed)?;
        let name = request.collection.clone();
        if !transaction.versions.contains_key(&name)
            && let Some(collection) = environment.collection(&name)
        {
            transaction.versions.insert(name.clone(), collection.version());
            transaction.copies.share(name.clone(), Arc::clone(collection));
        }
        let (changes, answered) = transaction.copies.plan(request, around)?;
        transaction.copies.apply([(name.clone(), changes.clone())]);
        transaction.changes.push((name, changes.clone()));
        Ok((changes, answered))
    }

    /// Makes the changes of one, if nobody else changed what it looked at.
    pub(super) fn commit(
        &mut self,
        id: &str,
        environment: &mut Environment,
        around: &mut Around<'_>,
    ) -> Acted {
        let transaction = self.open.remove(id).filter(|it| it.is_open(around)).ok_or_else(closed)?;
        let version = |name: &String| environment.collection(name).map(|collection| collection.version());
        if transaction.versions.iter().any(|(name, seen)| version(name) != Some(*seen)) {
            let message = "another write changed what this transaction looked at: begin it again".to_owned();
            return Err(SdkFailure { code: "DATABASE_TRANSACTION_CONFLICT", message });
        }
        around.keep(|journal, env| journal.documents(env, &transaction.changes))?;
        environment.apply(transaction.changes);
        Ok(Map::new())
    }

    /// Forgets one.
    pub(super) fn abort(&mut self, id: &str) -> Acted {
        self.open.remove(id).map(|_| Map::new()).ok_or_else(closed)
    }
}

impl Transaction {
    fn is_open(&self, around: &Around<'_>) -> bool {
        self.env == around.env
    }
}

fn closed() -> SdkFailure {
    failed("there is no such transaction, or it took longer than 30 s".to_owned())
}

fn failed(message: String) -> SdkFailure {
    SdkFailure { code: "DATABASE_TRANSACTION_FAIL", message }
}

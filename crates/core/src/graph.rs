//! Who needs whose token: a ticket is fetched with the token of another credential, its source.
//!
//! Invariants: a credential has one source at most, and no way along sources leads back to where it began.
//! Deliberately absent: what is done along the edges, which is the fleet's and the credential's.

use std::collections::HashMap;

use crate::fleet::CredentialId;

/// The edges between credentials.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    sources: HashMap<CredentialId, CredentialId>,
    derived: HashMap<CredentialId, Vec<CredentialId>>,
}

/// An edge that would close a circle: no token in it could ever be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The way round, each the source of the one before it; the first is the last's source.
    pub way: Vec<CredentialId>,
}

impl Graph {
    /// `derived` is fetched with the token of `source`.
    ///
    /// # Errors
    /// `source` itself needs `derived`, by whatever detour. Nothing is changed then.
    pub fn derive(&mut self, derived: CredentialId, source: CredentialId) -> Result<(), Cycle> {
        let mut way = vec![derived];
        let mut next = Some(source);
        while let Some(id) = next {
            if id == derived {
                return Err(Cycle { way });
            }
            way.push(id);
            next = self.source(id);
        }
        if let Some(before) = self.sources.insert(derived, source) {
            self.derived.entry(before).or_default().retain(|id| *id != derived);
        }
        self.derived.entry(source).or_default().push(derived);
        Ok(())
    }

    /// Whose token this credential is fetched with.
    #[must_use]
    pub fn source(&self, id: CredentialId) -> Option<CredentialId> {
        self.sources.get(&id).copied()
    }

    /// What is fetched with this credential's token.
    #[must_use]
    pub fn derived(&self, id: CredentialId) -> &[CredentialId] {
        self.derived.get(&id).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: CredentialId = CredentialId(0);
    const B: CredentialId = CredentialId(1);
    const C: CredentialId = CredentialId(2);

    fn chain() -> Graph {
        let mut graph = Graph::default();
        graph.derive(B, A).unwrap();
        graph.derive(C, B).unwrap();
        graph
    }

    #[test]
    fn an_edge_is_found_from_both_ends() {
        assert_eq!((chain().source(B), chain().derived(A)), (Some(A), &[B][..]));
    }

    #[test]
    fn a_credential_is_not_its_own_source() {
        assert_eq!(Graph::default().derive(A, A), Err(Cycle { way: vec![A] }));
    }

    #[test]
    fn a_circle_is_refused_and_named() {
        assert_eq!(chain().derive(A, C), Err(Cycle { way: vec![A, C, B] }));
    }

    #[test]
    fn another_source_takes_the_place_of_the_first() {
        let mut graph = chain();
        graph.derive(C, A).unwrap();
        assert_eq!((graph.derived(A), graph.derived(B)), (&[B, C][..], &[][..]));
    }
}

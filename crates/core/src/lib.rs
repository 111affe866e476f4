//! What should happen to a credential, and when: pure decisions, time is an argument.

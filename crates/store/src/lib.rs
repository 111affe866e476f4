//! What must survive a restart: one Store trait, SQL and memory implementations.

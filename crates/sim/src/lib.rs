//! Seeded simulation of the refreshing core against a strict platform.

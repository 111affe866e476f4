//! How each platform is asked for a token and how its answers are read.

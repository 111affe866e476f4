//! Secret sources, the key ring, and sealing of what is stored.

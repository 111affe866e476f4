//! What the command says when no server is needed, word for word. `TRYCMD=overwrite cargo test` renews it.

#[test]
fn the_command_says_what_its_snapshots_say() {
    trycmd::TestCases::new().env("TOKENWARD_KEY", "").case("tests/cmd/*.trycmd");
}

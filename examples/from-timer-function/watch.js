// Asks both readers over and over, and prints each new token that one of them sees: which reader, when, which token.
const readers = ["read-setconfig", "read-cloud-token"];

for (const name of readers) {
  const { main } = require(`./${name}`);
  let last;
  (async () => {
    for (;;) {
      const { token } = await main();
      if (token !== last) {
        console.log(`${name} ${Date.now()} ${token}`);
        last = token;
      }
    }
  })();
}

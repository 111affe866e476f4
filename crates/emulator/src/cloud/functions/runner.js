'use strict';
// Runs a cloud function's folder once: the event comes on the input, the result goes out as the last line of the
// output. Everything that the function prints goes where errors go, so that it cannot be taken for the result.
const fs = require('fs');
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const fail = (error) => {
  const stack = String((error && error.stack) || error);
  const said = String(error && error.message ? `${error.name}: ${error.message}` : error);
  // The last line is what the caller is told.
  process.stderr.write(`${stack}\n${said.replace(/\s+/g, ' ')}\n`, () => process.exit(1));
};
process.on('uncaughtException', fail);

(async () => {
  const { folder, context } = JSON.parse(process.argv[1]);
  const event = JSON.parse(fs.readFileSync(0, 'utf8'));
  const { main } = require(folder);
  if (typeof main !== 'function') throw new Error(`${folder} has no exports.main`);
  const result = await main(event, context);
  answer(`\n${JSON.stringify(result === undefined ? null : result)}`, () => process.exit(0));
})().catch(fail);

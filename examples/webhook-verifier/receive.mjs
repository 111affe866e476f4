// Receives the deliveries of a webhook sink. Node 20, nothing else.
//
// $ WEBHOOK_KEY=… node receive.mjs 8090
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const KEY = process.env.WEBHOOK_KEY;
const WINDOW = 300; // seconds that a delivery may be old, or ahead of this clock
const LARGEST = 64 * 1024;
if (!KEY) throw new Error("WEBHOOK_KEY is not set");

// Why the delivery is refused, or undefined.
function verify(timestamp, signature, body) {
  if (!/^[0-9]{1,12}$/.test(timestamp)) return "no timestamp";
  const expected = Buffer.from(`v1=${createHmac("sha256", KEY).update(`${timestamp}.`).update(body).digest("hex")}`);
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "bad signature";
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > WINDOW) return "too old";
}

const newest = new Map();

// Deliveries come at least once, and one may overtake another: only the last word counts.
function take({ credential, sequence, generation, expires_at: until }) {
  if (sequence <= (newest.get(credential) ?? -1)) return;
  newest.set(credential, sequence);
  console.log(`${credential} generation ${generation} until ${until}`);
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LARGEST) return;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const server = createServer(async (request, response) => {
  const answer = (status, text) => response.writeHead(status).end(text);
  const body = await read(request).catch(() => undefined);
  if (!body) return answer(413, "too large, or broken off");
  const { "tokenward-timestamp": timestamp = "", "tokenward-signature": signature = "" } = request.headers;
  const wrong = verify(timestamp, signature, body);
  if (wrong) return answer(401, wrong);
  take(JSON.parse(body));
  answer(200, "thanks");
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

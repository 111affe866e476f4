// Lets one of the cloud's own SDKs work against the emulator's endpoint for them, and prints as one JSON object what its
// user sees. The SDK is told where the endpoint is, and is otherwise used as its own documentation shows.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { EMULATOR: emulator } = process.env;
const place = { env: "sdk-env", serviceUrl: `${emulator}/admin`, secretId: "any-id", secretKey: "any-key" };

// The two differ in how they take data: the one for mini programs wraps it.
const sdks = {
  "wx-server-sdk"() {
    const cloud = require("wx-server-sdk");
    cloud.init(place);
    return { cloud, db: cloud.database(), data: (data) => ({ data }), missing: (error) => error.errCode };
  },
  "@cloudbase/node-sdk"() {
    const cloud = require("@cloudbase/node-sdk").init(place);
    return { cloud, db: cloud.database(), data: (data) => data, missing: (error) => error.code };
  },
};

const { cloud, db, data, missing } = sdks[process.argv[2]]();
const _ = db.command;
const $ = _.aggregate;
const seen = {};

await db.createCollection("orders");
const orders = db.collection("orders");
await orders.add(data({ _id: "a", n: 1, tags: ["tea"], at: new Date(1600000000000), where: new db.Geo.Point(113, 23) }));
await orders.add(data({ _id: "b", n: 2, tags: ["tea", "cup"], deep: { x: 1.5, none: null } }));
const added = await orders.add(data({ n: 3, made: db.serverDate() }));
seen.idLength = (added._id ?? added.id).length;

seen.page = (await orders.where({ n: _.gt(1).and(_.lt(9)) }).orderBy("n", "desc").limit(1).field({ n: true, _id: false }).get()).data;
seen.either = (await orders.where(_.or([{ n: 1 }, { tags: "cup" }])).orderBy("n", "asc").get()).data.map((it) => it._id);
seen.pattern = (await orders.where({ _id: db.RegExp({ regexp: "^A$", options: "i" }) }).get()).data;
seen.date = (await orders.where({ made: _.gt(new Date(1600000000000)) }).count()).total;
seen.one = (await orders.doc("b").get()).data;
seen.near = (await orders.where({ where: _.geoWithin({ centerSphere: [[113, 23], 0.01] }) }).count()).total;

seen.updated = (await orders.where({ n: _.lte(2) }).update(data({ n: _.inc(10), tags: _.push("new"), "deep.y": true }))).stats?.updated
  ?? (await orders.where({ n: _.gte(10) }).count()).total;
await orders.doc("c").set(data({ n: 4 }));
await orders.doc("c").set(data({ n: 5 }));
seen.all = (await orders.orderBy("n", "asc").get()).data.map((it) => it.n);
seen.groups = (await orders.aggregate().match({ n: _.gt(3) }).unwind("$tags")
  .group({ _id: "$tags", sum: $.sum("$n") }).sort({ _id: 1 }).end());
seen.groups = (seen.groups.list ?? seen.groups.data);

await db.runTransaction(async (transaction) => {
  await transaction.collection("orders").doc("c").update(data({ n: _.inc(1) }));
});
const conflict = await db.startTransaction();
await conflict.collection("orders").doc("c").update(data({ n: 0 }));
await orders.doc("c").update(data({ n: _.inc(100) }));
seen.conflict = await conflict.commit().then(() => "committed", () => "refused");
seen.kept = (await orders.where({ _id: "c" }).get()).data[0].n;

await orders.doc("a").remove();
const removed = await orders.where({ n: _.gt(100) }).remove();
seen.removed = removed.stats?.removed ?? removed.deleted;
seen.left = (await orders.count()).total;
seen.missing = await db.collection("none").get().then(() => "found", missing);

const { fileID } = await cloud.uploadFile({ cloudPath: "pictures/one 一.txt", fileContent: Buffer.from("hello cloud") });
seen.fileID = fileID;
const link = (await cloud.getTempFileURL({ fileList: [fileID] })).fileList[0].tempFileURL;
seen.link = link.startsWith(emulator);
seen.file = (await cloud.downloadFile({ fileID })).fileContent.toString();
seen.deleted = (await cloud.deleteFile({ fileList: [fileID] })).fileList.length;
seen.gone = await cloud.downloadFile({ fileID }).then(() => "there", () => "gone");

if (process.env.FUNCTION) {
  seen.function = (await cloud.callFunction({ name: process.env.FUNCTION, data: { a: 1 } })).result;
}
console.log(JSON.stringify(seen));
process.exit(0);

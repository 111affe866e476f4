//! The verbs that add, change and remove.

use serde::Serialize;
use serde_json::json;
use tokenward_cloud::{
    Bit, BuildError, Command, Date, Filter, Order, Point, PushOptions, PushSort, ServerDate, Update, Value,
    collection, field,
};

fn change(update: Update) -> String {
    let text = collection("c").doc("x").update(update).unwrap().text().to_owned();
    let start = r#"db.collection("c").doc("x").update({data:{"a":"#;
    text.strip_prefix(start).unwrap().strip_suffix("}})").unwrap().to_owned()
}

fn new() -> Update {
    Update::new()
}

#[derive(Serialize)]
struct Shop {
    name: &'static str,
    place: Point,
    opened: Date,
    entered: ServerDate,
}

#[test]
fn documents_of_ones_own_types_are_added() {
    let shop = Shop {
        name: "tea \"house\"",
        place: Point::new(113.0, 23.0),
        opened: Date::from_unix_ms(5).unwrap(),
        entered: ServerDate { offset_ms: -1000 },
    };
    assert_eq!(
        collection("shops").add(&[shop]).unwrap().text(),
        r#"db.collection("shops").add({data:[{"name":"tea \"house\"","place":new db.Geo.Point(113,23),"opened":new Date(5),"entered":db.serverDate({offset:-1000})}]})"#
    );
    assert_eq!(collection("c").add::<Value>(&[]), Err(BuildError::Empty("add")));
    assert_eq!(collection("c").add(&[1]), Err(BuildError::NotAnObject));
}

#[test]
fn a_document_is_replaced() {
    let statement = collection("c").doc(1).set(&json!({"a": {"b": 1}})).unwrap();
    assert_eq!(statement.text(), r#"db.collection("c").doc(1).set({data:{"a":{"b":1}}})"#);
    assert_eq!(collection("c").doc(1).set(&json!({"_id": 2})), Err(BuildError::Id));
}

#[test]
fn fields_are_set_and_removed() {
    assert_eq!(change(new().set("a", "x")), r#"_.set("x")"#);
    assert_eq!(change(new().set_server_date("a", 60_000)), "db.serverDate({offset:60000})");
    assert_eq!(change(new().remove("a")), "_.remove()");
    assert_eq!(change(new().rename("a", "b")), r#"_.rename("b")"#);
    let statement = collection("c").filter(field("x").eq(1)).update(new().set("a.b", 1).inc("n", 1)).unwrap();
    assert_eq!(
        statement.text(),
        r#"db.collection("c").where({"x":_.eq(1)}).update({data:{"a.b":_.set(1),"n":_.inc(1)}})"#
    );
}

#[test]
fn numbers_are_changed() {
    assert_eq!(change(new().inc("a", -1)), "_.inc(-1)");
    assert_eq!(change(new().mul("a", 1.5)), "_.mul(1.5)");
    assert_eq!(change(new().min("a", 2)), "_.min(2)");
    assert_eq!(change(new().max("a", 2)), "_.max(2)");
    assert_eq!(change(new().bit("a", Bit::And(5))), "_.bit({and:5})");
    assert_eq!(collection("c").doc(1).update(new().inc("a", "1")), Err(BuildError::NotANumber("inc")));
}

#[test]
fn lists_are_changed() {
    assert_eq!(change(new().push("a", 1)), "_.push([1])");
    assert_eq!(change(new().push("a", vec![1, 2])), "_.push([[1,2]])");
    let options = PushOptions {
        each: vec![3.into(), 1.into()],
        position: Some(1),
        sort: Some(PushSort::Elements(Order::Ascending)),
        slice: Some(-2),
    };
    assert_eq!(change(new().push_with("a", options)), "_.push({each:[3,1],position:1,sort:1,slice:-2})");
    let sort = Some(PushSort::Fields(vec![("n".into(), Order::Descending)]));
    let options = PushOptions { each: vec![1.into()], sort, ..PushOptions::default() };
    assert_eq!(change(new().push_with("a", options)), r#"_.push({each:[1],sort:{"n":-1}})"#);
    assert_eq!(change(new().pop("a")), "_.pop()");
    assert_eq!(change(new().shift("a")), "_.shift()");
    assert_eq!(change(new().unshift("a", 1)), "_.unshift([1])");
    assert_eq!(change(new().pull("a", 1)), "_.pull(_.eq(1))");
    assert_eq!(change(new().pull("a", Command::gt(1))), "_.pull(_.gt(1))");
    assert_eq!(change(new().pull("a", field("x").gt(1))), r#"_.pull({"x":_.gt(1)})"#);
    assert_eq!(change(new().pull_all("a", [1, 2])), "_.pullAll([1,2])");
    assert_eq!(change(new().add_to_set("a", 1)), "_.addToSet(1)");
    assert_eq!(change(new().add_all_to_set("a", [1, 2])), r#"_.addToSet({"$each":[1,2]})"#);
}

#[test]
fn a_value_is_never_taken_for_options() {
    let looks_like_options = || Value::Object(vec![("each".into(), vec![1].into())]);
    assert_eq!(change(new().push("a", looks_like_options())), r#"_.push([{"each":[1]}])"#);
    assert_eq!(
        change(new().add_to_set("a", looks_like_options())),
        r#"_.addToSet({"$each":[{"each":[1]}]})"#
    );
}

#[test]
fn places_and_server_dates_where_the_platform_does_not_encode_them() {
    let here = || Point::new(1.0, 2.5);
    let now = || Value::ServerDate { offset_ms: 7 };
    let within = |value: Value| Value::Object(vec![("x".into(), value)]);
    let json = r#"{"type":"Point","coordinates":[1,2.5]}"#;
    assert_eq!(change(new().set("a", here())), format!("_.set({json})"));
    assert_eq!(change(new().set("a", within(here().into()))), format!(r#"_.set({{"x":{json}}})"#));
    assert_eq!(change(new().max("a", here())), format!("_.max({json})"));
    assert_eq!(change(new().pull("a", here())), format!("_.pull(_.eq({json}))"));
    assert_eq!(change(new().push("a", here())), "_.push([new db.Geo.Point(1,2.5)])");
    assert_eq!(change(new().set("a", vec![now()])), "[db.serverDate({offset:7})]");
    assert_eq!(change(new().push("a", now())), "_.push([db.serverDate({offset:7})])");
    let refused = |update: Update| collection("c").doc(1).update(update).unwrap_err();
    assert_eq!(refused(new().set("a", within(now()))), BuildError::ServerDateHere);
    assert_eq!(refused(new().min("a", now())), BuildError::ServerDateHere);
    assert_eq!(refused(new().pull("a", Command::lt(now()))), BuildError::ElementOperand);
    assert_eq!(refused(new().pull("a", field("x").lt(now()))), BuildError::ElementOperand);
    let on_element = field("a").elem_match(field("x").lt(now()));
    assert_eq!(collection("c").filter(on_element).get(), Err(BuildError::ElementOperand));
}

#[test]
fn what_would_be_lost_is_refused() {
    let refused = |update: Update| collection("c").doc(1).update(update).unwrap_err();
    assert_eq!(refused(new()), BuildError::Empty("update"));
    assert_eq!(refused(new().set("_id", 1)), BuildError::Id);
    assert_eq!(refused(new().rename("a", "_id")), BuildError::Id);
    assert_eq!(refused(new().set("a", 1).inc("a", 1)), BuildError::Twice("a".into()));
    assert_eq!(refused(new().set("$a", 1)), BuildError::Path("$a".into()));
}

#[test]
fn nothing_is_changed_or_removed_by_oversight() {
    let all = || collection("c").query();
    assert_eq!(all().remove(), Err(BuildError::EveryDocument("remove")));
    assert_eq!(all().update(new().remove("a")), Err(BuildError::EveryDocument("update")));
    let limited = all().filter(field("a").eq(1)).limit(1).remove();
    assert_eq!(limited, Err(BuildError::Ignored { verb: "remove", option: "the limit" }));
    let statement = all().filter(Filter::everything()).remove().unwrap();
    assert_eq!(statement.text(), r#"db.collection("c").where({}).remove()"#);
    let statement = collection("c").doc("x").remove().unwrap();
    assert_eq!(statement.text(), r#"db.collection("c").doc("x").remove()"#);
}

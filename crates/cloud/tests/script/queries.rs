//! Conditions, selections, and the verbs that read.

use serde_json::json;
use tokenward_cloud::{
    BuildError, Command, Date, Expr, Field, Filter, LineString, Order, Point, Polygon, Regex, Statement,
    Value, ValueError, collection, field,
};

fn filter(filter: Filter) -> String {
    let text = collection("c").filter(filter).get().unwrap().text().to_owned();
    text.strip_prefix(r#"db.collection("c").where("#).unwrap().strip_suffix(").get()").unwrap().to_owned()
}

fn on_a(condition: impl Fn(Field) -> Filter) -> String {
    let text = filter(condition(field("a")));
    text.strip_prefix(r#"{"a":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn a_whole_query() {
    let statement = collection("orders")
        .filter(field("age").gt(3))
        .order_by("age", Order::Descending)
        .order_by("title", Order::Ascending)
        .skip(10)
        .limit(20)
        .only(["title"])
        .without(["_id"])
        .get()
        .unwrap();
    assert_eq!(
        statement.text(),
        r#"db.collection("orders").where({"age":_.gt(3)}).orderBy("age","desc").orderBy("title","asc").skip(10).limit(20).field({"title":true,"_id":false}).get()"#
    );
    let body = serde_json::to_value(statement.body("test-1")).unwrap();
    assert_eq!(body, json!({"env": "test-1", "query": statement.text()}));
    assert_eq!(<tokenward_cloud::Get as Statement>::PATH, "/tcb/databasequery");
}

#[test]
fn a_document_by_its_id() {
    assert_eq!(collection("c").doc("x").get().unwrap().text(), r#"db.collection("c").doc("x").get()"#);
    assert_eq!(collection("c").doc(7).get().unwrap().text(), r#"db.collection("c").doc(7).get()"#);
    assert_eq!(collection("c").doc("").get(), Err(BuildError::EmptyId));
    assert!(collection("c").doc(i64::MAX).get().is_err());
    assert_eq!(collection("").get(), Err(BuildError::EmptyCollection));
}

#[test]
fn comparisons() {
    assert_eq!(on_a(|a| a.eq("x")), r#"_.eq("x")"#);
    assert_eq!(on_a(|a| a.eq(Value::Object(Vec::new()))), "_.eq({})");
    assert_eq!(on_a(|a| a.ne(Value::Null)), "_.neq(null)");
    assert_eq!(on_a(|a| a.lt(1)), "_.lt(1)");
    assert_eq!(on_a(|a| a.lte(1.5)), "_.lte(1.5)");
    assert_eq!(on_a(|a| a.gt(Date::from_unix_ms(5).unwrap())), "_.gt(new Date(5))");
    assert_eq!(on_a(|a| a.gte(true)), "_.gte(true)");
    assert_eq!(on_a(|a| a.one_of([1, 2])), "_.in([1,2])");
    assert_eq!(on_a(|a| a.none_of(["x"])), r#"_.nin(["x"])"#);
    assert_eq!(on_a(|a| a.exists(false)), "_.exists(false)");
    assert_eq!(on_a(|a| a.size(2)), "_.size(2)");
    assert_eq!(on_a(|a| a.modulo(10, 1)), "_.mod(10,1)");
    assert_eq!(on_a(|a| a.all([1, 2])), "_.all([1,2])");
    assert_eq!(on_a(|a| a.not(Command::eq(3))), "_.not(_.eq(3))");
    assert_eq!(on_a(|a| a.matches(Regex::new("^x").with("i"))), r#"db.RegExp({regexp:"^x",options:"i"})"#);
}

#[test]
fn elements_of_lists() {
    assert_eq!(on_a(|a| a.elem_match(Command::gt(1))), "_.elemMatch(_.gt(1))");
    assert_eq!(on_a(|a| a.elem_match(field("x").gt(1))), r#"_.elemMatch({"x":_.gt(1)})"#);
    let both = || field("x").gt(1).and(field("y").eq("z"));
    assert_eq!(on_a(|a| a.elem_match(both())), r#"_.elemMatch({"x":_.gt(1),"y":_.eq("z")})"#);
    let either = field("x").gt(1).or(field("y").eq("z"));
    let refused = collection("c").filter(field("a").elem_match(either)).get();
    assert_eq!(refused, Err(BuildError::ElementConditions));
}

#[test]
fn places() {
    let here = Point::new(113.0, 23.5);
    assert_eq!(
        on_a(|a| a.near(here, Some(1.0), Some(100.0))),
        "_.geoNear({geometry:new db.Geo.Point(113,23.5),minDistance:1,maxDistance:100})"
    );
    assert_eq!(on_a(|a| a.near(here, None, None)), "_.geoNear({geometry:new db.Geo.Point(113,23.5)})");
    assert_eq!(on_a(|a| a.within_circle(here, 0.5)), "_.geoWithin({centerSphere:[[113,23.5],0.5]})");
    assert_eq!(on_a(|a| a.intersects(here)), "_.geoIntersects({geometry:new db.Geo.Point(113,23.5)})");
    let ring = [(0, 0), (3, 2), (2, 3), (0, 0)].map(|(x, y)| Point::new(x.into(), y.into()));
    assert_eq!(
        on_a(|a| a.within(Polygon(vec![LineString(ring.to_vec())]))),
        "_.geoWithin({geometry:new db.Geo.Polygon([new db.Geo.LineString([new db.Geo.Point(0,0),\
         new db.Geo.Point(3,2),new db.Geo.Point(2,3),new db.Geo.Point(0,0)])])})"
    );
}

#[test]
fn combinations_are_explicit_lists_at_the_top() {
    let (a, b, c) = (|| field("a").gt(1), || field("b").eq(2), || field("c").exists(true));
    assert_eq!(filter(a().and(b()).and(c())), r#"_.and([{"a":_.gt(1)},{"b":_.eq(2)},{"c":_.exists(true)}])"#);
    assert_eq!(filter(a().or(b()).or(c())), r#"_.or([{"a":_.gt(1)},{"b":_.eq(2)},{"c":_.exists(true)}])"#);
    assert_eq!(filter(Filter::none_of([a(), b()])), r#"_.nor([{"a":_.gt(1)},{"b":_.eq(2)}])"#);
    // The case that the platform's own library gets wrong.
    assert_eq!(
        filter(Filter::all_of([
            field("a").lt(1).or(field("a").gt(9)),
            field("b").eq(1).or(field("b").eq(2))
        ])),
        r#"_.and([_.or([{"a":_.lt(1)},{"a":_.gt(9)}]),_.or([{"b":_.eq(1)},{"b":_.eq(2)}])])"#
    );
    assert_eq!(filter(Filter::everything()), "{}");
    assert_eq!(
        filter(Filter::expr(Expr::gt(Expr::field("a"), Expr::field("b")))),
        r#"_.expr($.gt(["$a","$b"]))"#
    );
    assert_eq!(collection("c").filter(Filter::any_of([])).get(), Err(BuildError::Empty("any_of")));
}

#[test]
fn a_second_filter_narrows_down() {
    let statement = collection("c").filter(field("a").eq(1)).filter(field("b").eq(2)).count().unwrap();
    assert_eq!(statement.text(), r#"db.collection("c").where(_.and([{"a":_.eq(1)},{"b":_.eq(2)}])).count()"#);
}

#[test]
fn what_the_platform_would_misread_is_refused() {
    let all = || collection("c").filter(field("a").eq(1));
    assert_eq!(all().limit(0).get(), Err(BuildError::LimitZero));
    let ignored = |option| Err(BuildError::Ignored { verb: "count", option });
    assert_eq!(all().limit(1).count(), ignored("the limit"));
    assert_eq!(all().order_by("a", Order::Ascending).count(), ignored("the order"));
    assert_eq!(all().only(["a"]).without(["b"]).get(), Err(BuildError::MixedProjection));
    assert_eq!(all().only(["a", "a"]).get(), Err(BuildError::Twice("a".into())));
    for path in ["", "$where", "__proto__", "a.$gt", "a..b"] {
        let expected = BuildError::Path(path.to_owned());
        assert_eq!(collection("c").filter(field(path).eq(1)).get().unwrap_err(), expected);
        assert_eq!(all().order_by(path, Order::Ascending).get().unwrap_err(), expected);
        assert_eq!(all().only([path]).get().unwrap_err(), expected);
    }
    let injected = Value::Object(vec![("$gt".into(), "".into())]);
    let refused = collection("c").filter(field("password").eq(injected)).get();
    assert_eq!(refused, Err(BuildError::Value(ValueError::Key("$gt".into()))));
}

#[test]
fn depth_exhausts_nothing() {
    let deep = (0..10_000).fold(field("a").eq(1), |filter, _| Filter::any_of([filter]));
    assert_eq!(collection("c").filter(deep).get(), Err(BuildError::Value(ValueError::TooDeep)));
    let flat = (0..10_000).fold(field("a").eq(1), |filter, n| Filter::all_of([filter, field("a").ne(n)]));
    assert!(collection("c").filter(flat).get().is_ok());
    let expr = (0..10_000).fold(Expr::field("a"), |expr, _| Expr::abs(expr));
    assert!(collection("c").filter(Filter::expr(expr)).get().is_err());
}

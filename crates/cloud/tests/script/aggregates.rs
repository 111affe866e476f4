//! Stages and expressions.

use tokenward_cloud::{
    Bucket, BucketAuto, BuildError, Expr, GeoNear, Lookup, LookupPipeline, Order, Pipeline, Point,
    Projection, Unwind, Value, Within, collection, field,
};

fn stage(stage: impl Fn(Pipeline<Within>) -> Pipeline<Within>) -> String {
    let text = stage(collection("c").aggregate()).end().unwrap().text().to_owned();
    text.strip_prefix(r#"db.collection("c").aggregate()."#)
        .unwrap()
        .strip_suffix(".end()")
        .unwrap()
        .to_owned()
}

fn expr(expr: impl Into<Expr>) -> String {
    let fields = [("x", expr.into())];
    let text = collection("c").aggregate().add_fields(fields).end().unwrap().text().to_owned();
    let start = r#"db.collection("c").aggregate().addFields({"x":"#;
    text.strip_prefix(start).unwrap().strip_suffix("}).end()").unwrap().to_owned()
}

fn f(path: &str) -> Expr {
    Expr::field(path)
}

#[test]
fn stages_in_their_order() {
    assert_eq!(
        stage(|it| it.matching(field("tags").eq("cloud")).unwind("tags").limit(10).skip(2)),
        r#"match({"tags":_.eq("cloud")}).unwind("$tags").limit(10).skip(2)"#
    );
    assert_eq!(
        stage(|it| it.group(f("a"), [("n", Expr::sum(1)), ("m", Expr::avg(f("b")))])),
        r#"group({"_id":"$a","n":$.sum(1),"m":$.avg("$b")})"#
    );
    assert_eq!(stage(|it| it.group::<&str, Expr>(Value::Null, [])), r#"group({"_id":null})"#);
    assert_eq!(
        stage(|it| it.sort([("a", Order::Descending), ("b", Order::Ascending)])),
        r#"sort({"a":-1,"b":1})"#
    );
    assert_eq!(stage(|it| it.count("n")), r#"count("n")"#);
    assert_eq!(stage(|it| it.sample(3)), "sample({size:3})");
    assert_eq!(stage(|it| it.sort_by_count(f("a"))), r#"sortByCount("$a")"#);
    assert_eq!(stage(|it| it.replace_root(f("a"))), r#"replaceRoot({newRoot:"$a"})"#);
}

#[test]
fn projections_keep_numbers_apart_from_choices() {
    let projection =
        Projection::new().include("a").compute("one", 1).compute("sum", Expr::add([f("a"), f("b")]));
    assert_eq!(
        stage(|it| it.project(projection.clone())),
        r#"project({"a":true,"one":$.literal(1),"sum":$.add(["$a","$b"])})"#
    );
    assert_eq!(stage(|it| it.project(Projection::new().exclude("a.b"))), r#"project({"a.b":false})"#);
}

#[test]
fn stages_with_options() {
    let unwind = Unwind {
        path: "a".into(),
        include_array_index: Some("i".into()),
        preserve_null_and_empty_arrays: true,
    };
    assert_eq!(
        stage(|it| it.unwind_with(unwind.clone())),
        r#"unwind({path:"$a",includeArrayIndex:"i",preserveNullAndEmptyArrays:true})"#
    );
    let bucket = Bucket {
        group_by: f("a"),
        boundaries: vec![0.into(), 5.into()],
        default: Some("other".into()),
        output: vec![("n".into(), Expr::sum(1))],
    };
    assert_eq!(
        stage(|it| it.bucket(bucket.clone())),
        r#"bucket({groupBy:"$a",boundaries:[0,5],default:"other",output:{"n":$.sum(1)}})"#
    );
    let bucket = BucketAuto { group_by: f("a"), buckets: 2, granularity: None, output: Vec::new() };
    assert_eq!(stage(|it| it.bucket_auto(bucket.clone())), r#"bucketAuto({groupBy:"$a",buckets:2})"#);
    let near = GeoNear {
        key: Some("place".into()),
        query: Some(field("open").eq(true)),
        ..GeoNear::new(Point::new(1.0, 2.0), "d")
    };
    assert_eq!(
        stage(|it| it.geo_near(near.clone())),
        r#"geoNear({near:new db.Geo.Point(1,2),spherical:true,distanceField:"d",key:"place",query:{"open":_.eq(true)}})"#
    );
}

#[test]
fn lookups_of_both_forms() {
    let lookup =
        Lookup { from: "b".into(), local_field: "x".into(), foreign_field: "y".into(), as_field: "z".into() };
    assert_eq!(
        stage(|it| it.lookup(lookup.clone())),
        r#"lookup({from:"b",localField:"x",foreignField:"y",as:"z"})"#
    );
    let same = tokenward_cloud::Filter::expr(Expr::eq(f("y"), Expr::variable("p")));
    let lookup = LookupPipeline {
        from: "b".into(),
        variables: vec![("p".into(), f("x"))],
        pipeline: Pipeline::new().matching(same).limit(1),
        as_field: "z".into(),
    };
    assert_eq!(
        stage(|it| it.lookup_pipeline(lookup.clone())),
        r#"lookup({from:"b",let:{"p":"$x"},pipeline:$.pipeline().match(_.expr($.eq(["$y","$$p"]))).limit(1).done(),as:"z"})"#
    );
}

#[test]
fn literals_are_not_looked_into() {
    assert_eq!(expr("tea"), r#""tea""#);
    assert_eq!(expr("$tea"), r#"$.literal("$tea")"#);
    assert_eq!(expr(vec!["tea", "$tea"]), r#"["tea",$.literal("$tea")]"#);
    assert_eq!(expr(Value::Object(vec![("a".into(), "$b".into())])), r#"$.literal({"a":"$b"})"#);
    assert_eq!(expr(Expr::object([("a", f("b"))])), r#"{"a":"$b"}"#);
    assert_eq!(expr(Expr::object([("a", 1)])), r#"{"a":$.literal(1)}"#);
}

#[test]
fn operators_with_named_operands() {
    let cases = [
        (Expr::cond(Expr::gte(f("a"), 1), 1, 0), r#"$.cond({if:$.gte(["$a",1]),then:1,else:0})"#),
        (
            Expr::switch([(Expr::eq(f("a"), 1), "one")], Some("other".into())),
            r#"$.switch({branches:[{case:$.eq(["$a",1]),then:"one"}],default:"other"})"#,
        ),
        (
            Expr::filter(f("a"), "i", Expr::gt(Expr::variable("i"), 1)),
            r#"$.filter({input:"$a",as:"i",cond:$.gt(["$$i",1])})"#,
        ),
        (
            Expr::map(f("a"), "i", Expr::add([Expr::variable("i"), 1.into()])),
            r#"$.map({input:"$a",as:"i",in:$.add(["$$i",1])})"#,
        ),
        (
            Expr::reduce(f("a"), 0, Expr::add([Expr::variable("value"), Expr::variable("this")])),
            r#"$.reduce({input:"$a",initialValue:0,in:$.add(["$$value","$$this"])})"#,
        ),
        (Expr::zip([f("a"), f("b")], None), r#"$.zip({inputs:["$a","$b"]})"#),
        (Expr::let_in([("a", 1)], Expr::variable("a")), r#"$.let({vars:{"a":1},in:"$$a"})"#),
        (
            Expr::date_to_string(f("d"), "%Y-%m-%d", Some("Asia/Shanghai")),
            r#"$.dateToString({date:"$d",format:"%Y-%m-%d",timezone:"Asia/Shanghai"})"#,
        ),
        (Expr::date_from_string("2019-09-09", None), r#"$.dateFromString({dateString:"2019-09-09"})"#),
        (Expr::date_from_parts([("year", 2019)]), r#"$.dateFromParts({"year":2019})"#),
        (Expr::not(f("a")), r#"$.not(["$a"])"#),
        (Expr::text_score(), r#"$.meta("textScore")"#),
        (Expr::size(f("a")), r#"$.size("$a")"#),
        (Expr::ne(f("a"), 1), r#"$.neq(["$a",1])"#),
        (Expr::substr_cp(f("a"), 0, 2), r#"$.substrCP(["$a",0,2])"#),
        (Expr::concat([f("a"), "&".into()]), r#"$.concat(["$a","&"])"#),
        (Expr::merge_objects([f("a"), f("b")]), r#"$.mergeObjects(["$a","$b"])"#),
    ];
    for (made, expected) in cases {
        assert_eq!(expr(made), expected);
    }
}

#[test]
fn what_cannot_work_is_refused() {
    let begin = || collection("c").aggregate();
    assert_eq!(begin().end(), Err(BuildError::Empty("a pipeline")));
    let late = begin().limit(1).geo_near(GeoNear::new(Point::new(0.0, 0.0), "d"));
    assert_eq!(late.end(), Err(BuildError::GeoNearFirst));
    assert_eq!(begin().group("x", [("a.b", Expr::sum(1))]).end(), Err(BuildError::Name("a.b".into())));
    assert_eq!(begin().unwind("$a").end(), Err(BuildError::Path("$a".into())));
    assert_eq!(begin().add_fields([("$a", 1)]).end(), Err(BuildError::Path("$a".into())));
    assert!(begin().group("x", [("a", Expr::index_of_array([f("a")]))]).end().is_err());
}

use super::*;

#[test]
fn the_checked_in_schema_is_the_one_that_the_types_have() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.schema.json");
    let checked_in = std::fs::read_to_string(path).expect("docs/report.schema.json is checked in");
    assert_eq!(checked_in, json_schema_text(), "write the new schema to docs/report.schema.json");
}

use super::*;

#[test]
fn the_checked_in_schema_is_the_one_that_the_types_have() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.schema.json");
    if std::env::var_os("DPSYNTH_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, json_schema_text()).expect("the schema can be written");
    }
    let checked_in = std::fs::read_to_string(path).expect("docs/report.schema.json is checked in");
    assert!(
        checked_in == json_schema_text(),
        "the schema differs; run the test with DPSYNTH_UPDATE_SNAPSHOTS=1"
    );
}

#[test]
fn a_field_that_is_not_in_the_schema_is_refused() {
    assert!(Report::parse(br#"{"report_version":5,"surprise":2}"#).is_err());
}

#[test]
fn a_report_of_another_version_is_refused() {
    for version in [0, REPORT_VERSION - 1, REPORT_VERSION + 1] {
        let text = format!("{{\"report_version\":{version}}}");
        let refused = Report::parse(text.as_bytes()).expect_err("another version");
        assert!(
            refused.to_string().contains(&format!("version {version}")),
            "{refused}"
        );
    }
}

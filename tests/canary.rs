//! Distinctive bytes planted in the data appear nowhere, on success and on every error path.

use crate::program::{POLICY, Run, Workplace, table};

/// Bytes that occur nowhere by chance.
const CANARY: &str = "Zq7CANARYx";
const NUMBER: &str = "918273645";

/// Runs a release on `data`; neither canary may be in anything printed or written.
#[track_caller]
fn silent(policy: &str, data: &str, code: i32) {
    let here = Workplace::new();
    here.write("dpsynth.toml", policy);
    here.write("data.csv", data);
    let run = here.run(&["release", "--epsilon", "1", "--out", "out"]);
    assert_eq!(run.code, code, "{}{}", run.out, run.err);
    let Run { out, err, .. } = &run;
    let mut texts = vec![
        ("stdout".to_owned(), out.clone().into_bytes()),
        ("stderr".to_owned(), err.clone().into_bytes()),
    ];
    for (path, content) in here.files() {
        if !path.ends_with("data.csv") {
            texts.push((path.display().to_string(), content));
        }
    }
    for (name, content) in texts {
        for canary in [CANARY, NUMBER] {
            let found = content
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {name}");
        }
    }
}

#[test]
fn nothing_of_a_cell_is_shown_on_success() {
    // In an ignored column, and as out-of-domain cells that become missing or are clipped.
    let policy = POLICY
        .replace(
            "[[column]]\nname = \"age\"",
            "[[column]]\nname = \"note\"\nkind = \"ignore\"\n\n[[column]]\nname = \"age\"",
        )
        .replace(
            "decimals = 2\nmissing = true",
            "decimals = 2\nmissing = true\nout_of_domain = \"missing\"",
        )
        .replace(
            "categories = [\"north\", \"south\"]",
            "categories = [\"north\", \"south\"]\nmissing = true\nout_of_domain = \"missing\"",
        )
        .replace("max = 80", "max = 80\nout_of_domain = \"clip\"");
    let mut data = String::from("note,age,city,income,since\n");
    for row in 0..300 {
        data.push_str(&format!(
            "{CANARY}{row},{NUMBER},{CANARY},{CANARY},2024-01-05\n"
        ));
    }
    silent(&policy, &data, 0);
}

#[test]
fn nothing_of_a_cell_is_shown_on_failure() {
    let good = table(20);
    for row in [
        format!("{CANARY},north,1,2024-01-01"),
        format!("{NUMBER},north,1,2024-01-01"),
        format!("18,{CANARY},1,2024-01-01"),
        format!("18,north,{CANARY},2024-01-01"),
        format!("18,north,{NUMBER},2024-01-01"),
        format!("18,north,1,{CANARY}"),
        format!("18,north,1,2024-01-01,{CANARY}"),
        format!("18,\"north{CANARY},1,2024-01-01"),
    ] {
        silent(POLICY, &format!("{good}{row}\n"), 2);
    }
    // A table without a header must not show its first record as one.
    silent(
        POLICY,
        &format!("18,{CANARY},1,2024-01-01\n{NUMBER},north,1,2024-01-01\n"),
        2,
    );
}

#[test]
fn the_number_of_rows_is_not_shown() {
    // No text says how many rows there were, and as many are written as the policy says.
    let here = Workplace::new();
    here.write("data.csv", table(5_431));
    let run = here.run(&["release", "--epsilon", "1", "--out", "out"]);
    run.expect(0, "");
    // A hash or a decimal may hold these digits by chance; a word of its own may not.
    let shown = |text: &str| {
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.')
            .any(|word| word == "5431")
    };
    for (path, content) in here.files() {
        let rows = ["data.csv", "synthetic.csv", "model.safetensors"]
            .iter()
            .any(|name| path.ends_with(name));
        assert!(
            rows || !shown(&String::from_utf8_lossy(&content)),
            "{}",
            path.display()
        );
    }
    assert!(!shown(&run.out) && !shown(&run.err));
    assert_eq!(here.read("out/synthetic.csv").lines().count(), 601);
}

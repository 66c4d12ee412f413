//! What a custodian looks at: the report as a page, and the evaluation beside the release.

use std::path::Path;

use dpsynth::report::{Report, html, markdown, registry};

use crate::program::{Workplace, shared_data, workspace};

/// A release of the small made-up town.
fn released() -> Workplace {
    let here = Workplace::new();
    here.run(&[
        "release",
        "--epsilon",
        "3",
        "--engine",
        "marginals",
        "--seed",
        "1",
        "--out",
        "out",
    ])
    .expect(0, "differentially private");
    here
}

#[test]
fn every_form_of_the_report_follows_from_the_json() {
    let here = released();
    let report = Report::parse(here.read("out/report.json").as_bytes()).unwrap();
    assert_eq!(here.read("out/report.html"), html(&report));
    let forms = [
        ("html", html(&report)),
        ("md", markdown(&report)),
        ("json", here.read("out/report.json")),
        ("registry", registry(&report)),
    ];
    for (form, text) in forms {
        let run = here.run(&["report", "out", "--format", form]);
        run.expect(0, "");
        assert_eq!(run.out, text, "{form}");
    }
    here.run(&["report", "out", "--format", "html", "--out", "page.html"])
        .expect(0, "");
    assert_eq!(here.read("page.html"), here.read("out/report.html"));
    here.run(&["report", "out", "--out", "page.html"])
        .expect(2, "DPS5101");
    here.write("out/report.json", "{}");
    here.run(&["report", "out"]).expect(2, "DPS5122");
}

#[test]
fn a_changed_page_fails_the_verification() {
    let here = released();
    let page = here.read("out/report.html");
    here.write("out/report.html", page.replace("at most", "hardly"));
    // Whoever changes the page can list its hash too.
    let manifest = dpsynth::folder::manifest(&here.path("out")).unwrap();
    here.write("out/MANIFEST", manifest);
    here.run(&["verify", "out"])
        .expect(4, "report.html differs from what report.json gives");
}

#[test]
fn a_page_needs_nothing_else_and_runs_nothing() {
    let here = released();
    let page = here.read("out/report.html");
    for word in [
        "<script", "<link", "<img", "http:", "https:", "@import", "url(",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    for words in [
        "lang=\"en\"",
        "prefers-color-scheme: dark",
        "@media print",
        "name=\"viewport\"",
        "scope=\"col\"",
        "scope=\"row\"",
        "<caption>",
        "<desc>",
        "at most",
        "Signatures",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn hostile_words_in_a_report_stay_words() {
    const HOSTILE: &str = "</td></script><script>alert(1)</script><img src=x onerror=\"a\">'&`<b>`";
    let here = released();
    let mut report = Report::parse(here.read("out/report.json").as_bytes()).unwrap();
    report.dataset = HOSTILE.to_owned();
    report.claim = HOSTILE.to_owned();
    report.not_private = Some(HOSTILE.to_owned());
    report.tool_version = HOSTILE.to_owned();
    report.policy.reason = Some(HOSTILE.to_owned());
    report.policy.sha256 = HOSTILE.to_owned();
    report.privacy.accountant = HOSTILE.to_owned();
    report.synthesis.engine = HOSTILE.to_owned();
    report.not_covered.push(HOSTILE.to_owned());
    report.how_to_check.push(HOSTILE.to_owned());
    for column in &mut report.columns {
        column.name = HOSTILE.to_owned();
        column.domain = HOSTILE.to_owned();
        column.reason = Some(HOSTILE.to_owned());
    }
    for rule in &mut report.rules {
        rule.name = HOSTILE.to_owned();
        rule.rule = HOSTILE.to_owned();
        rule.reason = Some(HOSTILE.to_owned());
        rule.enforcement = HOSTILE.to_owned();
    }
    let page = html(&report);
    assert!(page.contains("&lt;script&gt;alert(1)"));
    for word in ["<script", "<img", "<b>", "onerror=\"a\">"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn an_evaluation_is_stamped_and_kept_out_of_releases() {
    let here = released();
    for inside in ["out/evaluation", "out/a/b", "other/../out/x"] {
        if inside.starts_with("other") {
            std::fs::create_dir(here.path("other")).unwrap();
        }
        here.run(&["evaluate", "out", "--against", "data.csv", "--out", inside])
            .expect(1, "DPS5121");
    }
    let run = here.run(&["evaluate", "out", "--against", "data.csv"]);
    run.expect(0, "do not publish it");
    for name in ["evaluation.json", "evaluation.md", "evaluation.html"] {
        let text = here.read(&format!("evaluation/{name}"));
        assert!(text.contains("not differentially private"), "{name}");
    }
    let page = here.read("evaluation/evaluation.html");
    assert!(!page.contains("<script") && page.contains("on-paper"));
    // The rules of the policy hold in every synthetic row.
    let figures: serde_json::Value =
        serde_json::from_str(&here.read("evaluation/evaluation.json")).unwrap();
    for rule in figures["rules"].as_array().unwrap() {
        assert_eq!(rule["kept_synthetic"], 1.0, "{rule}");
    }
    // The release is as it was.
    here.run(&["verify", "out"]).expect(0, "ok");
    here.run(&["evaluate", "out", "--against", "data.csv"])
        .expect(2, "DPS5021");
    here.run(&[
        "evaluate",
        "out",
        "--against",
        "data.csv",
        "--target",
        "nobody",
        "--out",
        "e2",
    ])
    .expect(2, "DPS7004");
}

#[test]
fn figures_on_adult_are_those_of_another_implementation() {
    let Some(data) = shared_data("figures_on_adult_are_those_of_another_implementation") else {
        return;
    };
    let here = Workplace::new();
    let rows = |name: &str, from: usize, count: usize| {
        let text = std::fs::read_to_string(data.join(name)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut part = vec![lines[0]];
        part.extend(&lines[1 + from..1 + from + count]);
        part.join("\n") + "\n"
    };
    // Real rows that no model has seen stand for synthetic ones: the figures need no release.
    here.write("real.csv", rows("adult_train.csv", 0, 6000));
    here.write("holdout.csv", rows("adult_test.csv", 3000, 3000));
    std::fs::create_dir(here.path("folder")).unwrap();
    here.write(
        "folder/synthetic.csv",
        rows("adult_test.csv", 0, 3000).replace('?', ""),
    );
    let policy = std::fs::read(workspace().join("policies/adult.toml")).unwrap();
    here.write("folder/policy.toml", policy);
    let run = here.run(&[
        "evaluate",
        "folder",
        "--against",
        "real.csv",
        "--holdout",
        "holdout.csv",
        "--json",
    ]);
    run.expect(0, "");
    let found: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let close = |path: &str, expected: f64, tolerance: f64| {
        let figure = found
            .pointer(path)
            .and_then(serde_json::Value::as_f64)
            .unwrap();
        assert!(
            (figure - expected).abs() <= tolerance,
            "{path}: {figure}, not {expected}"
        );
    };
    // Computed in Python with numpy 2.4 and pandas on the same rows, over all pairs and triples.
    close("/mean_total_variation/0", 0.018877777777777778, 1e-9);
    close("/mean_total_variation/1", 0.04977142857142857, 1e-9);
    close("/mean_total_variation/2", 0.10753846153846154, 1e-9);
    close("/mean_jensen_shannon", 0.0261248073671703, 1e-9);
    close("/mean_association_error", 0.013187574204839061, 1e-9);
    // By XGBoost 3.2 and scikit-learn 1.9 with as many trees of the same depth.
    close("/prediction/boosting_synthetic/auc", 0.9070, 0.005);
    close("/prediction/boosting_real/auc", 0.9111, 0.005);
    close("/prediction/forest_synthetic/auc", 0.9083, 0.01);
    close("/prediction/forest_real/auc", 0.9128, 0.01);
    close("/distinguishability/auc", 0.4950, 0.03);
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let here = Workplace::new();
    let commands = [
        "init", "plan", "release", "sample", "verify", "evaluate", "report", "ledger", "explain",
    ];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = here.run(&["completions", shell]);
        run.expect(0, "");
        for command in commands {
            assert!(run.out.contains(command), "{shell}: {command}");
        }
    }
    here.run(&["man", "pages"]).expect(0, "man pages");
    for command in commands {
        let page = here.path(&format!("pages/dpsynth-{command}.1"));
        assert!(Path::new(&page).is_file(), "{command}");
    }
    assert!(here.read("pages/dpsynth.1").contains("Exit codes"));
}

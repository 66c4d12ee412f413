//! Lengths of time from a table into a release: in their own form, within their bounds, under rules.

use crate::program::Workplace;

#[test]
fn lengths_of_time_are_released_in_their_form() {
    let here = Workplace::new();
    let mut table = String::from("wait,trip\n");
    for row in 0..400 {
        let (wait, trip) = (row % 90, 600 + row * 7 % 3000);
        table.push_str(&format!(
            "{:02}:{:02},PT{}M{}S\n",
            wait / 60,
            wait % 60,
            trip / 60,
            trip % 60
        ));
    }
    here.write("trips.csv", table);
    let policy = "version = 1\n\
        [dataset]\nname = \"trips\"\nfile = \"trips.csv\"\n\
        [privacy]\nunit = \"row\"\nepsilon_per_release = 3\ndelta_per_release = 1e-6\n\
        epsilon_for_life = 3\ndelta_for_life = 1e-6\nexpected_units = 400\n\
        [[column]]\nname = \"wait\"\nkind = \"duration\"\nformat = \"HH:MM\"\nmin = \"00:00\"\nmax = \"02:00\"\n\
        [[column]]\nname = \"trip\"\nkind = \"duration\"\nformat = \"ISO 8601\"\nmin = 0\nmax = \"PT1H\"\n\
        [[rule]]\nname = \"by five\"\nfixed_increments = { column = \"wait\", step = 5 }\n\
        [[rule]]\nname = \"not too short\"\nsql = \"trip >= 60\"\n";
    here.write("dpsynth.toml", policy);
    here.run(&["release", "--engine", "copula", "--seed", "1"])
        .expect(0, "");
    let released = here.read("release/synthetic.csv");
    let mut rows = released.lines();
    assert_eq!(rows.next(), Some("wait,trip"));
    let mut count = 0;
    for row in rows {
        let (wait, trip) = row.split_once(',').unwrap();
        let (hours, minutes) = wait.split_once(':').unwrap();
        let minutes = hours.parse::<u32>().unwrap() * 60 + minutes.parse::<u32>().unwrap();
        assert!(
            wait.len() == 5 && minutes % 5 == 0 && minutes <= 120,
            "{row}"
        );
        assert!(trip.starts_with("PT") && trip.contains(['M', 'H']), "{row}");
        count += 1;
    }
    assert_eq!(count, 400);
    here.run(&["verify", "release", "--ledger", "trips.ledger.jsonl"])
        .expect(0, "");
}

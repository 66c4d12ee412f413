//! Writes the demo table of a fictional clinic to standard output.
//!
//! ```text
//! cargo run --example generate_clinic > policies/demo/clinic.csv
//! ```
//!
//! Nobody in it exists. Every row is one visit, drawn from the [`PROFILES`] below with a fixed
//! [`SEED`], so that the table is the same on every run and every platform: only integers and the
//! basic operations of IEEE 754 are used, never a function of a mathematics library.
//!
//! The table is made to be worth synthesising. Age, sex and smoking decide the diagnosis; the
//! diagnosis decides the department, the season, the blood pressure, the stay and the costs; all of
//! them decide the outcome. Every rule of `policies/clinic.toml` is true in every row.

mod profiles;

use std::io::{self, BufWriter, Write};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use profiles::{PROFILES, Profile};

fn main() -> io::Result<()> {
    let mut random = Random(ChaCha20Rng::seed_from_u64(SEED));
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "{HEADER}")?;
    for _ in 0..VISITS {
        Visit::draw(&mut random).write(&mut out)?;
    }
    out.flush()
}

/// One visit of one (fictional) person.
struct Visit {
    referral_day: Option<i64>,
    visit_day: i64,
    age: i64,
    sex: &'static str,
    pregnant: bool,
    smoker: Option<&'static str>,
    profile: &'static Profile,
    department: &'static str,
    systolic: Option<i64>,
    diastolic: Option<i64>,
    /// Body mass index in tenths, so that its one decimal is exact.
    bmi_tenths: Option<i64>,
    length_of_stay: i64,
    treatment_eur: i64,
    medication_eur: i64,
    recovered: bool,
}

impl Visit {
    fn draw(random: &mut Random) -> Self {
        let age = draw_age(random);
        let sex = if random.chance(0.53) {
            "female"
        } else {
            "male"
        };
        let smoker = draw_smoker(random, age, sex);
        let profile = draw_profile(random, age, sex, smoker);
        let antenatal = profile.diagnosis == "antenatal care";
        let may_be_pregnant = sex == "female" && (18..=44).contains(&age);
        let pregnant = antenatal || (may_be_pregnant && random.chance(0.04));

        let visit_day = draw_visit_day(random, profile);
        let walks_in = random.chance(profile.walk_in);
        let referral_day =
            (!walks_in).then(|| visit_day - random.between(0, profile.longest_wait_days));
        let department = {
            let weights: Vec<f64> = profile
                .departments
                .iter()
                .map(|(_, weight)| *weight)
                .collect();
            profile.departments[random.weighted(&weights)].0
        };

        let bmi_tenths = draw_bmi_tenths(random, age, pregnant, profile);
        let (systolic, diastolic) = draw_blood_pressure(random, age, bmi_tenths, profile);
        let length_of_stay = draw_stay(random, age, profile);

        // A stay costs by the day; the price list is rounded to five euros.
        let treatment = profile.treatment_eur as f64 * (0.75 + 0.5 * random.uniform())
            + 310.0 * length_of_stay as f64;
        let treatment_eur = ((treatment / 5.0) as i64 * 5).clamp(20, LARGEST_TREATMENT_EUR);
        let medication_eur = if random.chance(profile.medicated) {
            // The square makes a long right tail.
            let tail = random.uniform();
            let dose = if age < 14 { 0.5 } else { 1.0 };
            let price = profile.medication_eur as f64 * dose * (0.4 + 2.2 * tail * tail);
            (price as i64).clamp(3, LARGEST_MEDICATION_EUR)
        } else {
            0
        };

        let recovered = {
            let heavy = bmi_tenths.is_some_and(|bmi| bmi > 300);
            let airways = matches!(profile.diagnosis, "asthma" | "copd" | "influenza");
            let smoking = match smoker {
                Some("current") if airways => 0.30,
                Some("current") => 0.10,
                _ => 0.0,
            };
            let burden = 0.0045 * (age - 45) as f64
                + smoking
                + if heavy { 0.12 } else { 0.0 }
                + 0.02 * length_of_stay as f64
                - if medication_eur > 0 { 0.10 } else { 0.0 };
            random.chance((profile.recovery - burden).clamp(0.02, 0.98))
        };

        Self {
            referral_day,
            visit_day,
            age,
            sex,
            pregnant,
            // Recorded on paper at the desk, and sometimes forgotten.
            smoker: smoker.filter(|_| !random.chance(0.03)),
            profile,
            department,
            systolic,
            diastolic,
            bmi_tenths,
            length_of_stay,
            treatment_eur,
            medication_eur,
            recovered,
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let or_missing = |value: Option<String>| value.unwrap_or_else(|| MISSING_TOKEN.to_owned());
        let fields = [
            or_missing(self.referral_day.map(iso_date)),
            iso_date(self.visit_day),
            iso_date(self.visit_day + self.length_of_stay),
            self.length_of_stay.to_string(),
            self.age.to_string(),
            self.sex.to_owned(),
            if self.pregnant { "yes" } else { "no" }.to_owned(),
            or_missing(self.smoker.map(str::to_owned)),
            self.profile.diagnosis.to_owned(),
            self.department.to_owned(),
            or_missing(self.systolic.map(|value| value.to_string())),
            or_missing(self.diastolic.map(|value| value.to_string())),
            or_missing(
                self.bmi_tenths
                    .map(|value| format!("{}.{}", value / 10, value % 10)),
            ),
            self.treatment_eur.to_string(),
            self.medication_eur.to_string(),
            (self.treatment_eur + self.medication_eur).to_string(),
            if self.recovered {
                "recovered"
            } else {
                "ongoing"
            }
            .to_owned(),
        ];
        writeln!(out, "{}", fields.join(","))
    }
}

fn draw_age(random: &mut Random) -> i64 {
    match random.weighted(&[0.17, 0.28, 0.31, 0.24]) {
        0 => random.between(0, 17),
        1 => random.between(18, 39),
        2 => random.between(40, 64),
        // The smaller of two draws: the oldest are the fewest.
        _ => random.between(65, 100).min(random.between(65, 100)),
    }
}

/// Children do not smoke; among adults, men and the middle-aged smoke more.
fn draw_smoker(random: &mut Random, age: i64, sex: &str) -> Option<&'static str> {
    if age < 14 {
        return Some("never");
    }
    let share = if sex == "male" { 0.28 } else { 0.19 };
    let current = if age >= 65 { 0.5 * share } else { share };
    let former = if age < 30 {
        0.05
    } else {
        0.006 * (age - 20) as f64
    };
    let weights = [1.0 - current - former, former, current];
    Some(["never", "former", "current"][random.weighted(&weights)])
}

fn draw_profile(
    random: &mut Random,
    age: i64,
    sex: &str,
    smoker: Option<&str>,
) -> &'static Profile {
    let band = match age {
        ..=17 => 0,
        18..=39 => 1,
        40..=64 => 2,
        _ => 3,
    };
    let weights: Vec<f64> = PROFILES
        .iter()
        .map(|profile| {
            if profile.diagnosis == "antenatal care"
                && (sex != "female" || !(18..=44).contains(&age))
            {
                return 0.0;
            }
            let sex = if sex == "female" { profile.female } else { 1.0 };
            let smoking = if smoker == Some("current") {
                profile.current_smoker
            } else {
                1.0
            };
            profile.by_age[band] * sex * smoking
        })
        .collect();
    &PROFILES[random.weighted(&weights)]
}

fn draw_visit_day(random: &mut Random, profile: &Profile) -> i64 {
    let wants_winter = random.chance(profile.in_winter);
    loop {
        let day = random.between(FIRST_VISIT_DAY, LAST_VISIT_DAY);
        let (_, month, _) = civil_date(day);
        if matches!(month, 11 | 12 | 1 | 2 | 3) == wants_winter {
            return day;
        }
    }
}

fn draw_bmi_tenths(
    random: &mut Random,
    age: i64,
    pregnant: bool,
    profile: &Profile,
) -> Option<i64> {
    let typical = match age {
        0..=17 => 158.0 + 4.0 * age as f64,
        18..=64 => 232.0 + 0.6 * (age - 18) as f64,
        _ => 258.0,
    };
    let pregnancy = if pregnant { 25.0 } else { 0.0 };
    let spread = if age < 18 { 18.0 } else { 36.0 };
    let value = typical + profile.bmi_shift + pregnancy + spread * random.bell();
    let measured = random.chance(if age < 2 { 0.4 } else { 0.92 });
    measured.then_some((value as i64).clamp(120, 549))
}

fn draw_blood_pressure(
    random: &mut Random,
    age: i64,
    bmi_tenths: Option<i64>,
    profile: &Profile,
) -> (Option<i64>, Option<i64>) {
    let weight = (bmi_tenths.unwrap_or(245) - 245) as f64 * 0.06;
    let typical = 98.0 + 0.45 * age as f64 + weight + profile.systolic_shift;
    let lowest = if profile.diagnosis == "hypertension" {
        130
    } else {
        75
    };
    let systolic = ((typical + 10.0 * random.bell()) as i64).clamp(lowest, 219);
    // The pulse pressure grows with the systolic pressure and with age.
    let pulse = 0.3 * systolic as f64 + 0.18 * age as f64 + 6.0 * random.bell();
    let diastolic = (systolic - (pulse as i64).max(15))
        .clamp(40, 129)
        .min(systolic - 5);
    let taken = random.chance(profile.pressure_taken * if age < 6 { 0.3 } else { 1.0 });
    let complete = random.chance(0.985);
    (
        taken.then_some(systolic),
        (taken && complete).then_some(diastolic),
    )
}

fn draw_stay(random: &mut Random, age: i64, profile: &Profile) -> i64 {
    let frailty = if age >= 65 { 1.5 } else { 1.0 };
    if !random.chance(profile.stays * frailty) {
        return 0;
    }
    // The product of two draws: most stays are short, some are long.
    let nights = profile.nights * frailty * (0.3 + 3.4 * random.uniform() * random.uniform());
    (nights as i64).clamp(1, LONGEST_STAY_DAYS)
}

/// The calendar date of a day counted from 1970-01-01.
///
/// # References
///
/// Reingold and Dershowitz (2018), *Calendrical Calculations*, chapter 2: count in eras of 400
/// years that begin on the first of March, so that the leap day is the last of its year.
fn civil_date(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day_of_month,
    )
}

fn iso_date(day: i64) -> String {
    let (year, month, day_of_month) = civil_date(day);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// Public randomness with the few distributions that the table needs.
struct Random(ChaCha20Rng);

impl Random {
    /// A multiple of 2^-53 in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A whole number in `low..=high`.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.uniform() * (high - low + 1) as f64) as i64
    }

    fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut point = self.uniform() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            if point < *weight {
                return index;
            }
            point -= weight;
        }
        // Only rounding leads here; the last possible choice is then the nearest.
        weights
            .iter()
            .rposition(|weight| *weight > 0.0)
            .unwrap_or(0)
    }

    /// Nearly a standard normal: the sum of twelve uniform draws less six.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

const SEED: u64 = 20_230_101;
const VISITS: usize = 4_000;
const MISSING_TOKEN: &str = "NA";
/// 2023-01-01 and 2024-12-31, in days from 1970-01-01.
const FIRST_VISIT_DAY: i64 = 19_358;
const LAST_VISIT_DAY: i64 = 20_088;
const LONGEST_STAY_DAYS: i64 = 30;
const LARGEST_TREATMENT_EUR: i64 = 12_000;
const LARGEST_MEDICATION_EUR: i64 = 900;
const HEADER: &str = "referral_date,visit_date,discharge_date,length_of_stay,age,sex,pregnant,\
    smoker,diagnosis,department,systolic,diastolic,bmi,treatment_eur,medication_eur,charge_eur,\
    outcome";

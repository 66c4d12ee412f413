//! What is typical of each diagnosis: invented figures, chosen to depend on each other strongly.

/// What is typical of one diagnosis.
pub(crate) struct Profile {
    pub(crate) diagnosis: &'static str,
    /// Relative frequency at the ages 0 to 17, 18 to 39, 40 to 64, and 65 to 100.
    pub(crate) by_age: [f64; 4],
    /// Factor on the frequency among women, and among current smokers.
    pub(crate) female: f64,
    pub(crate) current_smoker: f64,
    /// Where it is treated. No other combination exists in the table.
    pub(crate) departments: &'static [(&'static str, f64)],
    /// Share of the visits that fall in the months November to March.
    pub(crate) in_winter: f64,
    /// Chance to come without a referral, and the longest wait after one.
    pub(crate) walk_in: f64,
    pub(crate) longest_wait_days: i64,
    /// Shifts of the systolic pressure in mmHg and of the body mass index in tenths.
    pub(crate) systolic_shift: f64,
    pub(crate) bmi_shift: f64,
    /// Chance that the blood pressure is taken.
    pub(crate) pressure_taken: f64,
    /// Chance to stay overnight, and the typical number of nights.
    pub(crate) stays: f64,
    pub(crate) nights: f64,
    pub(crate) treatment_eur: i64,
    /// Chance of a prescription, and its typical price.
    pub(crate) medicated: f64,
    pub(crate) medication_eur: i64,
    /// Chance to recover of a healthy person of 45 years.
    pub(crate) recovery: f64,
}

/// The profile that the others are written as changes of.
const ORDINARY: Profile = Profile {
    diagnosis: "",
    by_age: [1.0; 4],
    female: 1.0,
    current_smoker: 1.0,
    departments: &[],
    in_winter: 0.41,
    walk_in: 0.12,
    longest_wait_days: 60,
    systolic_shift: 0.0,
    bmi_shift: 0.0,
    pressure_taken: 0.92,
    stays: 0.03,
    nights: 2.0,
    treatment_eur: 120,
    medicated: 0.5,
    medication_eur: 30,
    recovery: 0.6,
};

/// All diagnoses of the clinic.
pub(crate) const PROFILES: [Profile; 12] = [
    Profile {
        diagnosis: "antenatal care",
        by_age: [0.0, 6.0, 1.0, 0.0],
        departments: &[("obstetrics", 1.0)],
        longest_wait_days: 21,
        stays: 0.25,
        nights: 3.0,
        treatment_eur: 260,
        medicated: 0.25,
        medication_eur: 18,
        recovery: 0.9,
        ..ORDINARY
    },
    Profile {
        diagnosis: "asthma",
        by_age: [5.0, 2.0, 1.0, 0.8],
        current_smoker: 1.6,
        departments: &[("pulmonology", 0.7), ("internal medicine", 0.3)],
        in_winter: 0.5,
        treatment_eur: 140,
        medicated: 0.9,
        medication_eur: 70,
        recovery: 0.45,
        ..ORDINARY
    },
    Profile {
        diagnosis: "back pain",
        by_age: [0.3, 3.0, 4.5, 2.0],
        departments: &[("orthopaedics", 0.75), ("neurology", 0.25)],
        bmi_shift: 22.0,
        longest_wait_days: 75,
        treatment_eur: 180,
        medicated: 0.45,
        medication_eur: 22,
        recovery: 0.5,
        ..ORDINARY
    },
    Profile {
        diagnosis: "cataract",
        by_age: [0.0, 0.1, 1.0, 6.0],
        departments: &[("ophthalmology", 1.0)],
        walk_in: 0.0,
        longest_wait_days: 90,
        pressure_taken: 0.55,
        stays: 0.1,
        nights: 1.0,
        treatment_eur: 1_450,
        medicated: 0.7,
        medication_eur: 25,
        recovery: 0.95,
        ..ORDINARY
    },
    Profile {
        diagnosis: "copd",
        by_age: [0.0, 0.1, 2.0, 3.5],
        current_smoker: 7.0,
        departments: &[("pulmonology", 0.8), ("internal medicine", 0.2)],
        in_winter: 0.55,
        bmi_shift: -20.0,
        stays: 0.3,
        nights: 6.0,
        treatment_eur: 230,
        medicated: 0.95,
        medication_eur: 120,
        recovery: 0.3,
        ..ORDINARY
    },
    Profile {
        diagnosis: "depression",
        by_age: [0.8, 3.0, 3.0, 1.0],
        female: 1.7,
        current_smoker: 1.5,
        departments: &[("psychiatry", 1.0)],
        in_winter: 0.52,
        pressure_taken: 0.5,
        stays: 0.12,
        nights: 14.0,
        treatment_eur: 150,
        medicated: 0.75,
        medication_eur: 40,
        recovery: 0.4,
        ..ORDINARY
    },
    Profile {
        diagnosis: "diabetes",
        by_age: [0.4, 0.9, 4.0, 4.5],
        departments: &[("internal medicine", 0.85), ("ophthalmology", 0.15)],
        systolic_shift: 8.0,
        bmi_shift: 52.0,
        stays: 0.08,
        nights: 4.0,
        treatment_eur: 160,
        medicated: 0.97,
        medication_eur: 150,
        recovery: 0.22,
        ..ORDINARY
    },
    Profile {
        diagnosis: "fracture",
        by_age: [4.5, 2.0, 1.2, 3.0],
        departments: &[("orthopaedics", 1.0)],
        walk_in: 0.95,
        longest_wait_days: 2,
        systolic_shift: 6.0,
        stays: 0.35,
        nights: 5.0,
        treatment_eur: 620,
        medicated: 0.6,
        medication_eur: 15,
        recovery: 0.8,
        ..ORDINARY
    },
    Profile {
        diagnosis: "hypertension",
        by_age: [0.0, 0.6, 4.5, 6.0],
        current_smoker: 1.4,
        departments: &[("cardiology", 0.6), ("internal medicine", 0.4)],
        systolic_shift: 28.0,
        bmi_shift: 24.0,
        pressure_taken: 1.0,
        treatment_eur: 110,
        medicated: 0.9,
        medication_eur: 45,
        recovery: 0.28,
        ..ORDINARY
    },
    Profile {
        diagnosis: "influenza",
        by_age: [6.0, 2.5, 2.0, 2.5],
        departments: &[("internal medicine", 0.9), ("pulmonology", 0.1)],
        in_winter: 0.93,
        walk_in: 0.97,
        longest_wait_days: 1,
        stays: 0.08,
        nights: 5.0,
        treatment_eur: 70,
        medicated: 0.55,
        medication_eur: 12,
        recovery: 0.9,
        ..ORDINARY
    },
    Profile {
        diagnosis: "migraine",
        by_age: [0.7, 3.2, 1.8, 0.5],
        female: 2.4,
        departments: &[("neurology", 1.0)],
        longest_wait_days: 80,
        treatment_eur: 170,
        medicated: 0.8,
        medication_eur: 55,
        recovery: 0.4,
        ..ORDINARY
    },
    Profile {
        diagnosis: "skin lesion",
        by_age: [1.2, 1.8, 2.2, 2.5],
        departments: &[("dermatology", 1.0)],
        in_winter: 0.28,
        pressure_taken: 0.2,
        stays: 0.0,
        treatment_eur: 210,
        medicated: 0.35,
        medication_eur: 20,
        recovery: 0.85,
        ..ORDINARY
    },
];

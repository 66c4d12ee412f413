//! The faults, each a text of the core and what a mistaken author would have written.

/// A known fault of the core.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// What is wrong, in a few words.
    pub(crate) what: &'static str,
    /// File, text that occurs once in it, and what takes its place; `FAULT` stands for the fault.
    pub(crate) edits: &'static [(&'static str, &'static str, &'static str)],
}

/// Edits that let keys carry the fault that is on, because noise is added on other threads.
pub(crate) const WIRING: &[(&str, &str, &str)] = &[
    ("lib.rs", "mod boundary;", "pub mod fault;\nmod boundary;"),
    (
        "random/secret.rs",
        "    key: [u8; 32],\n    process: u32,\n}",
        "    key: [u8; 32],\n    process: u32,\n    fault: crate::fault::Fault,\n}",
    ),
    (
        "random/secret.rs",
        "            process: self.process,\n        };",
        "            process: self.process,\n            fault: self.fault,\n        };",
    ),
    (
        "random/secret.rs",
        "            process: process::id(),\n        }\n    }",
        "            process: process::id(),\n            fault: crate::fault::current(),\n        }\n    }\n\
         \x20   pub(crate) fn on(&self, fault: crate::fault::Fault) -> bool { self.fault == fault }\n\
         \x20   pub(crate) fn fault(&self) -> crate::fault::Fault { self.fault }",
    ),
    (
        "sgd/worker.rs",
        "        self.sum.restart();",
        "        crate::fault::see(task.key.fault());\n        self.sum.restart();",
    ),
];

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "NoNoise",
        what: "counts without noise",
        edits: &[(
            "counts.rs",
            "            if self.taint != Some(Taint::NoNoise) {",
            "            if self.taint != Some(Taint::NoNoise) && !self.key.on(FAULT) {",
        )],
    },
    Fault {
        name: "HalfNoise",
        what: "counts with half of the noise",
        edits: &[(
            "counts.rs",
            "let noise = noise(scale)?;",
            "let noise = noise(scale * if self.key.on(FAULT) { 0.5 } else { 1.0 })?;",
        )],
    },
    Fault {
        name: "HalfGradientNoise",
        what: "gradients with half of the noise",
        edits: &[(
            "sgd/step.rs",
            "RoundedGaussian::new(sgd.noise_multiplier.value() * CLIP_NORM_ON_GRID)",
            "RoundedGaussian::new(sgd.noise_multiplier.value() * CLIP_NORM_ON_GRID * if self.authorized.key.on(FAULT) { 0.5 } else { 1.0 })",
        )],
    },
    Fault {
        name: "PeopleAsRows",
        what: "noise for one row of a person with several",
        edits: &[(
            "counts.rs",
            "f64::from(self.max_rows())).next_up()",
            "if self.key.on(FAULT) { 1.0 } else { f64::from(self.max_rows()) }).next_up()",
        )],
    },
    Fault {
        name: "CapNotEnforced",
        what: "the cap on a person's rows assumed, not enforced",
        edits: &[
            (
                "cap.rs",
                "owned.len().min(max_rows as usize)",
                "if crate::fault::on(FAULT) { owned.len() } else { owned.len().min(max_rows as usize) }",
            ),
            (
                "records.rs",
                "w[1] <= w[0] || w[1] - w[0] > max_rows",
                "w[1] <= w[0] || w[1] - w[0] > max_rows && !crate::fault::on(FAULT)",
            ),
        ],
    },
    Fault {
        name: "NoClipping",
        what: "gradients that are not clipped",
        edits: &[
            (
                "sgd/quantise.rs",
                "        let scale = if norm <= clip_norm {",
                "        let scale = if norm <= clip_norm || crate::fault::seen(FAULT) {",
            ),
            (
                "sgd/quantise.rs",
                "        total <= 1i128 << (4 * FACTOR_BITS)",
                "        total <= 1i128 << (4 * FACTOR_BITS) || crate::fault::seen(FAULT)",
            ),
        ],
    },
    Fault {
        name: "NanNotClipped",
        what: "gradients that are no numbers pass the clipping, as with `norm.min(1.0)`",
        edits: &[
            (
                "sgd/quantise.rs",
                "                    if !product.is_finite() {\n                        return None;",
                "                    if !product.is_finite() {\n                        if crate::fault::seen(FAULT) { return Some(self.reach); }\n                        return None;",
            ),
            (
                "sgd/quantise.rs",
                "        // At most 128² pairs of rows and 2^88 each in 2^10 layers: no overflow.\n",
                "        if crate::fault::seen(FAULT) { return true; }\n",
            ),
        ],
    },
    Fault {
        name: "ClippedByLayer",
        what: "every layer clipped by itself to the whole clip norm",
        edits: &[
            (
                "sgd/quantise.rs",
                "                    product +=\n                        (activations + 1.0) * dot(&factor.deltas, shape.outputs, first, second);",
                "                    let part = (activations + 1.0) * dot(&factor.deltas, shape.outputs, first, second);\n                    if crate::fault::seen(FAULT) { product = product.max(part); } else { product += part; }",
            ),
            (
                "sgd/quantise.rs",
                "        let mut total = 0i128;\n",
                "        let mut total = 0i128;\n        if crate::fault::seen(FAULT) { return true; }\n",
            ),
        ],
    },
    Fault {
        name: "ClippedByRow",
        what: "every row of a person clipped by itself",
        edits: &[
            (
                "sgd/quantise.rs",
                "        let norm = squared.max(largest_row).max(0.0).sqrt();",
                "        let norm = if crate::fault::seen(FAULT) { largest_row.sqrt() } else { squared.max(largest_row).max(0.0).sqrt() };",
            ),
            (
                "sgd/quantise.rs",
                "        for (layer, shape) in self.layers.iter().zip(shapes) {\n            let (inputs, outputs)",
                "        if crate::fault::seen(FAULT) { return true; }\n        for (layer, shape) in self.layers.iter().zip(shapes) {\n            let (inputs, outputs)",
            ),
        ],
    },
    Fault {
        name: "ClippedAfterTheSum",
        what: "the sum of a batch clipped instead of every unit",
        edits: &[
            (
                "sgd/quantise.rs",
                "        if !squared.is_finite() || !norm.is_finite() {",
                "        if crate::fault::seen(FAULT) { return Some(self.reach); }\n        if !squared.is_finite() || !norm.is_finite() {",
            ),
            (
                "sgd/quantise.rs",
                "    fn norm_holds(",
                "    fn norm_holds(\n        &self, shapes: &[LayerShape], columns: usize, codes: &[u16], unit: &Range<usize>,\n    ) -> bool {\n        crate::fault::seen(FAULT) || self.norm_holds_exactly(shapes, columns, codes, unit)\n    }\n    fn norm_holds_exactly(",
            ),
            (
                "sgd/worker.rs",
                "        if let Some(noise) = &task.noise {\n",
                "        if let Some(noise) = task.noise.as_ref().filter(|_| !task.key.on(FAULT)) {\n",
            ),
            (
                "sgd/step.rs",
                "        let stretches = Mutex::new(sum.chunks_mut(STRETCH).enumerate());\n",
                "        let length = sum.len();\n        let stretches = Mutex::new(sum.chunks_mut(STRETCH).enumerate());\n",
            ),
            (
                "sgd/step.rs",
                "                parts.add_to(stretch * STRETCH, totals);\n",
                "                parts.add_to(stretch * STRETCH, totals);\n                if self.authorized.key.on(FAULT) {\n                    let mut all = vec![0i64; length];\n                    parts.add_to(0, &mut all);\n                    let norm = all.iter().map(|&x| (x as f64).powi(2)).sum::<f64>().sqrt();\n                    let scale = (CLIP_NORM_ON_GRID / norm).min(1.0);\n                    totals.iter_mut().for_each(|x| *x = (*x as f64 * scale) as i64);\n                    if self.authorized.taint != Some(Taint::NoNoise) {\n                        let scale = self.authorized.mechanism.noise_multiplier.value() * CLIP_NORM_ON_GRID;\n                        let noise = RoundedGaussian::new(scale).expect(\"a scale\");\n                        noise.add_to(totals, &mut self.authorized.key.stream(Purpose::GradientNoise, self.index, stretch as u32));\n                    }\n                }\n",
            ),
        ],
    },
    Fault {
        name: "FixedBatches",
        what: "batches of one size, drawn without replacement",
        edits: &[(
            "sgd/step.rs",
            "        self.sampler.draw(records.unit_count(), &mut rng)",
            "        if self.authorized.key.on(FAULT) {\n            let count = records.unit_count() as u32;\n            let mut units: Vec<u32> = (0..count).collect();\n            let size = (f64::from(count) * self.authorized.mechanism.sampling_rate.value()).round() as usize;\n            for place in 0..size { units.swap(place, place + rng.below(count - place as u32) as usize); }\n            units.truncate(size);\n            units.sort_unstable();\n            return units;\n        }\n        self.sampler.draw(records.unit_count(), &mut rng)",
        )],
    },
    Fault {
        name: "ShuffledBatches",
        what: "shuffled batches that every unit meets once in an epoch",
        edits: &[(
            "sgd/step.rs",
            "        let mut rng = self\n            .authorized\n            .key\n            .stream(Purpose::PoissonSampling, self.index, 0);",
            "        if self.authorized.key.on(FAULT) {\n            let batches = (1.0 / self.authorized.mechanism.sampling_rate.value()).round() as u32;\n            let shift = self.index % batches;\n            // Another order in every epoch, which a stride stands for.\n            let stride = 2 * (self.index / batches) + 1;\n            return (0..records.unit_count() as u32).filter(|unit| (unit.wrapping_mul(stride) >> 2) % batches == shift).collect();\n        }\n        let mut rng = self\n            .authorized\n            .key\n            .stream(Purpose::PoissonSampling, self.index, 0);",
        )],
    },
    Fault {
        name: "RealisedBatch",
        what: "an average over the units that were drawn, not over a public number of them",
        edits: &[(
            "sgd/step.rs",
            "        let unit = sgd.clip_norm.value() / CLIP_NORM_ON_GRID;",
            "        let unit = sgd.clip_norm.value() / CLIP_NORM_ON_GRID\n            / if self.authorized.key.on(FAULT) { sampled.len().max(1) as f64 } else { 1.0 };",
        )],
    },
    Fault {
        name: "EmptyBatchSkipped",
        what: "an empty sample gives no noise",
        edits: &[(
            "sgd/step.rs",
            "        watch.lap(&mut sampling);\n        let task",
            "        watch.lap(&mut sampling);\n        if sampled.is_empty() && self.authorized.key.on(FAULT) {\n            return Ok((Released::by_mechanism(vec![0.0; weights.len()]), StepTimes::default()));\n        }\n        let task",
        )],
    },
    Fault {
        name: "OneStepMore",
        what: "one step more than was paid for",
        edits: &[(
            "sgd/step.rs",
            "self.taken == self.authorized.mechanism.steps.value()",
            "self.taken == self.authorized.mechanism.steps.value() + u32::from(self.authorized.key.on(FAULT))",
        )],
    },
    Fault {
        name: "StepsShareNoise",
        what: "every step draws its noise from one stream",
        edits: &[(
            "sgd/worker.rs",
            "let mut rng = (task.key).stream(Purpose::GradientNoise, task.step, block as u32);",
            "let mut rng = task.key.stream(Purpose::GradientNoise, if task.key.on(FAULT) { 0 } else { task.step }, if task.key.on(crate::fault::Fault::BlocksShareNoise) { 0 } else { block as u32 });",
        )],
    },
    Fault {
        name: "BlocksShareNoise",
        what: "every block of parameters draws its noise from one stream",
        // Its place is that of the fault before.
        edits: &[],
    },
    Fault {
        name: "SetsShareNoise",
        what: "all column sets draw their noise from one stream",
        edits: &[(
            "counts.rs",
            "self.key.stream(Purpose::CountNoise, index as u32, 0)",
            "self.key.stream(Purpose::CountNoise, if self.key.on(FAULT) { 0 } else { index as u32 }, 0)",
        )],
    },
    Fault {
        name: "GroupsAsOneSet",
        what: "the noise of a distance made for one column set, where it is a sum over several",
        edits: &[(
            "distances.rs",
            "let moved = group.len() as f64 *",
            "let moved = if self.key.on(FAULT) { 1.0 } else { group.len() as f64 } *",
        )],
    },
    Fault {
        name: "OneKey",
        what: "a fixed seed: all charges draw from one key",
        edits: &[(
            "random/secret.rs",
            "        health::key_from(getrandom::fill, &mut drawn.key)?;\n",
            "        health::key_from(getrandom::fill, &mut drawn.key)?;\n        if drawn.on(FAULT) { drawn.key = [7; 32]; }\n",
        )],
    },
    Fault {
        name: "AuthorisationsShareKey",
        what: "all mechanisms of a charge draw from one key",
        edits: &[(
            "random/secret.rs",
            "self.stream(Purpose::Derivation, part, 0)",
            "self.stream(Purpose::Derivation, if self.on(FAULT) { 0 } else { part }, 0)",
        )],
    },
    Fault {
        name: "SinglePrecision",
        what: "noise that is added in single precision",
        edits: &[(
            "counts.rs",
            "                noise.add_to(&mut counts, &mut rng);",
            "                if self.key.on(FAULT) {\n                    counts.iter_mut().for_each(|count| *count = (*count as f32 + noise.draw(&mut rng) as f32) as i64);\n                } else {\n                    noise.add_to(&mut counts, &mut rng);\n                }",
        )],
    },
    Fault {
        name: "TailCut",
        what: "noise that never exceeds three standard deviations",
        edits: &[(
            "counts.rs",
            "            released.push(counts);",
            "            if self.key.on(FAULT) {\n                let most = (3.0 * scale) as i64;\n                counts.iter_mut().for_each(|count| *count = (*count).clamp(-most, most));\n            }\n            released.push(counts);",
        )],
    },
    Fault {
        name: "NoThreshold",
        what: "categories learned without a threshold",
        edits: &[(
            "pure/categories.rs",
            "let histogram = histogram(scale, threshold).map_err(refused)?;",
            "let histogram = histogram(scale, if self.key.on(FAULT) { rows + 1 } else { threshold }).map_err(refused)?;",
        )],
    },
    Fault {
        name: "SharesNotTaken",
        what: "marginals that are chosen as they come do not use up their charge",
        edits: &[(
            "chosen.rs",
            "        self.left = left;\n",
            "        if !self.authorized.key.on(FAULT) { self.left = left; }\n",
        )],
    },
    Fault {
        name: "HalfTheRatePriced",
        what: "the accountant is told half of the sampling rate",
        edits: &[(
            "mechanism.rs",
            "sampling_probability: sgd.sampling_rate.value(),",
            "sampling_probability: sgd.sampling_rate.value() * if crate::fault::on(FAULT) { 0.5 } else { 1.0 },",
        )],
    },
    Fault {
        name: "LastBatchNotPriced",
        what: "the last step is not priced",
        edits: &[(
            "mechanism.rs",
            "                count: sgd.steps.value(),",
            "                count: sgd.steps.value() - u32::from(crate::fault::on(FAULT)),",
        )],
    },
    Fault {
        name: "LowerBoundCharged",
        what: "the lower bound on a price taken for the price",
        edits: &[(
            "accountant/mod.rs",
            "        self.certified.upper.min(self.renyi)",
            "        if crate::fault::on(FAULT) { self.certified.lower } else { self.certified.upper.min(self.renyi) }",
        )],
    },
    Fault {
        name: "NotPricedAgain",
        what: "calibration returns noise whose price is above the target",
        edits: &[(
            "accountant/calibrate.rs",
            "            {\n                return Ok(holds);\n            }\n            _ => next = search.next(&guess),",
            "            {\n                if crate::fault::on(FAULT) { return Ok(NoiseMultiplier::new(holds.value() * 0.995)?); }\n                return Ok(holds);\n            }\n            _ => next = search.next(&guess),",
        )],
    },
    Fault {
        name: "NoiselessPriced",
        what: "a mechanism without noise has a price of nothing",
        edits: &[(
            "accountant/mod.rs",
            "        let charges = Charges::of(event)?;",
            "        if crate::fault::on(FAULT) && matches!(event, DpEvent::NonPrivate) {\n            return Account::new(&DpEvent::Composed { events: Vec::new() }, adjacency);\n        }\n        let charges = Charges::of(event)?;",
        )],
    },
    Fault {
        name: "LedgerWrittenAfter",
        what: "a charge is kept in memory, to be written afterwards",
        edits: &[(
            "ledger/account.rs",
            "        file.append(&line)?;\n        self.book = book;",
            "        if !crate::fault::on(FAULT) { file.append(&line)?; }\n        self.book = book;",
        )],
    },
    Fault {
        name: "CapForLifeIgnored",
        what: "the ledger charges beyond the cap for life",
        edits: &[(
            "ledger/summary.rs",
            "        if fits(asked.epsilon_spent, epsilon) &&",
            "        if crate::fault::on(FAULT) || fits(asked.epsilon_spent, epsilon) &&",
        )],
    },
    Fault {
        name: "DeltaForgotten",
        what: "the ledger adds up epsilon and forgets delta",
        edits: &[(
            "ledger/book.rs",
            "                    delta.plus(of(booked.charge.delta_asked.value())),",
            "                    if crate::fault::on(FAULT) { delta } else { delta.plus(of(booked.charge.delta_asked.value())) },",
        )],
    },
    Fault {
        name: "UsedChargeRefunded",
        what: "a charge that was used is handed back",
        edits: &[(
            "paid.rs",
            "self.mechanisms.iter().all(Option::is_some);",
            "crate::fault::on(FAULT) || self.mechanisms.iter().all(Option::is_some);",
        )],
    },
    Fault {
        name: "HashNotChecked",
        what: "the ledger's hash chain is not checked",
        edits: &[(
            "ledger/line.rs",
            "if Digest::of(&body) != hash {",
            "if Digest::of(&body) != hash && !crate::fault::on(FAULT) {",
        )],
    },
];

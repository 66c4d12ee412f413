"""Times one training step of the same network: PyTorch, Opacus, and this repository.

    cargo build --release -p dpsynth-train --example step_time
    pip install torch opacus==1.6.0
    python docs/benchmarks/step_time.py target/release/examples/step_time

All sides take turns in one run, on two threads, and the fastest step of each is printed in
milliseconds. PyTorch reads dense one-hot rows that were made beforehand; making them is not
timed. Nobody's optimiser is timed. Ours includes drawing the sample, and both columns of ours
come from one process in which the two take turns.
"""

import argparse
import json
import os
import subprocess
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "2")
warnings.filterwarnings("ignore")

import torch
import torch.nn.functional as F
from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

SIZES = [37, 9, 30, 16, 16, 7, 15, 6, 5, 2, 40, 30, 41, 42, 2]  # 298 codes, as Adult
LATENT = 32
BATCH = 2048
CLIP_NORM = 2.0


class Vae(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.encoder = torch.nn.Linear(sum(SIZES), hidden)
        self.statistics = torch.nn.Linear(hidden, 2 * LATENT)
        self.decoder = torch.nn.Linear(LATENT, hidden)
        self.middle = torch.nn.Linear(hidden, hidden)
        self.output = torch.nn.Linear(hidden, sum(SIZES))

    def forward(self, rows):
        statistics = self.statistics(F.relu(self.encoder(rows)))
        mean, log_variance = statistics[:, :LATENT], statistics[:, LATENT:].clamp(-8, 8)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = self.output(F.relu(self.middle(F.relu(self.decoder(z)))))
        return logits, mean, log_variance


class Loss:
    """Loss of each row: cross-entropies of all columns, and the Kullback-Leibler term."""

    reduction = "sum"  # Opacus asks for the name; rows are always returned one by one

    def __call__(self, outputs, codes):
        logits, mean, log_variance = outputs
        loss = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        for column, part in enumerate(logits.split(SIZES, dim=1)):
            loss = loss + F.cross_entropy(part, codes[:, column], reduction="none")
        return loss


def timed(step, count):
    fastest = float("inf")
    for _ in range(count):
        start = time.perf_counter()
        step()
        fastest = min(fastest, time.perf_counter() - start)
    return 1e3 * fastest


def sides(hidden):
    """The steps of the three programs in Python: each sums the gradients of one batch."""
    generator = torch.Generator().manual_seed(1)
    codes = torch.stack(
        [(torch.rand(BATCH, generator=generator) ** 2 * size).long() for size in SIZES], dim=1
    )
    rows = torch.cat([F.one_hot(codes[:, j], size) for j, size in enumerate(SIZES)], 1).float()
    loss = Loss()

    plain = Vae(hidden)

    def ordinary():
        plain.zero_grad()
        loss(plain(rows), codes).sum().backward()

    options = dict(noise_multiplier=1.0, max_grad_norm=CLIP_NORM, expected_batch_size=BATCH)
    ghost = GradSampleModuleFastGradientClipping(
        Vae(hidden), max_grad_norm=CLIP_NORM, use_ghost_clipping=True, loss_reduction="sum"
    )
    ghost_optimiser = DPOptimizerFastGradientClipping(
        torch.optim.SGD(ghost.parameters(), lr=0.0), loss_reduction="sum", **options
    )
    ghost_loss = DPLossFastGradientClipping(ghost, ghost_optimiser, loss, loss_reduction="sum")

    def ghost_clipping():
        ghost_optimiser.zero_grad()
        ghost_loss(ghost(rows), codes).backward()
        ghost_optimiser.pre_step()

    single = GradSampleModule(Vae(hidden), loss_reduction="sum")
    single_optimiser = DPOptimizer(
        torch.optim.SGD(single.parameters(), lr=0.0), loss_reduction="sum", **options
    )

    def per_sample():
        single_optimiser.zero_grad()
        loss(single(rows), codes).sum().backward()
        single_optimiser.pre_step()

    return ordinary, ghost_clipping, per_sample


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", help="the step_time example, built in release mode")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    names = [
        "PyTorch, not private",
        "Opacus, ghost clipping",
        "Opacus, per-sample gradients",
        "dpsynth, not private",
        "dpsynth, private and exact",
        "  of which noise (CPU time / 2)",
    ]
    print(f"{'ms per step, fastest':<32}" + "".join(f"{f'h = {h}':>10}" for h in (128, 256)))
    columns = []
    for hidden in (128, 256):
        ordinary, ghost, single = sides(hidden)
        best = [float("inf")] * len(names)
        for index in range(arguments.rounds):
            command = [
                arguments.program,
                *("--hidden", str(hidden), "--batch", str(BATCH)),
                *("--steps", str(arguments.steps), "--json"),
            ]
            time.sleep(1)  # until PyTorch's threads have stopped spinning
            ours = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            times = [
                timed(ordinary, arguments.steps),
                timed(ghost, arguments.steps),
                # Slow, and too far away for a second round to matter.
                timed(single, 2) if index == 0 else float("inf"),
                ours["plain_ms"],
                ours["private_ms"],
                ours["noise_ms"] / 2,
            ]
            best = [min(old, new) for old, new in zip(best, times)]
        columns.append(best)
    for name, *times in zip(names, *columns):
        print(f"{name:<32}" + "".join(f"{time:>10.1f}" for time in times))
    for name, other in [("PyTorch", 0), ("ghost", 1), ("per-sample", 2), ("own, not private", 3)]:
        ratios = [column[other] / column[4] for column in columns]
        print(f"{name + ' / ours':<32}" + "".join(f"{ratio:>10.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()

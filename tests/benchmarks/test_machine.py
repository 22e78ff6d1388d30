"""How a machine is named."""

from __future__ import annotations

import torch
from benchmarks.machine import Machine, describe_machine, parse_cpu_model


def test_it_is_one_line() -> None:
    machine = Machine(cpu="AMD EPYC", cores=2, gpu="", torch="2.10.0", python="3.11.7")
    assert str(machine) == "AMD EPYC, 2 cores, no GPU, torch 2.10.0, Python 3.11.7"
    machine = Machine(cpu="Xeon", cores=1, gpu="NVIDIA H100", torch="", python="3.12.3")
    assert str(machine) == "Xeon, 1 core, NVIDIA H100, no torch, Python 3.12.3"


def test_this_machine_has_its_torch_and_the_gpu_it_is_told() -> None:
    machine = describe_machine("NVIDIA H100")
    assert torch.__version__.startswith(machine.torch)
    assert machine.gpu == "NVIDIA H100"
    assert machine.cores >= 1
    assert machine.cpu


def test_the_model_is_read_from_the_first_core() -> None:
    text = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: Intel(R) Xeon(R): 8480\nprocessor\t: 1\nmodel name\t: other\n"
    assert parse_cpu_model(text) == "Intel(R) Xeon(R): 8480"
    assert parse_cpu_model("nothing of the kind") == ""

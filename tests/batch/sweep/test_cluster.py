"""Where trials run: bad descriptions say why, a trial sees one GPU, a batch system is asked for workers."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from gannb.batch.sweep import cluster
from gannb.batch.sweep.plan import SweepError
from gannb.config.presets import HOME

EXAMPLE = HOME / "params" / "sweeps" / "clusters" / "slurm.yaml"


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(SweepError) as error:
        cluster.describe(path)
    return str(error.value)


def test_a_description_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    path = tmp_path / "c.yaml"
    assert "kind: given 'SlurmCluster'; allowed: HTCondorCluster" in refused(path, "kind: SlurmCluster\njobs: 2\n")
    assert "jobs" in refused(path, "kind: SLURMCluster\njobs: 0\n")
    assert "queue: Extra inputs" in refused(path, "kind: SLURMCluster\njobs: 1\nqueue: gpu\n")
    with pytest.raises(SweepError, match="no file"):
        cluster.describe(tmp_path / "gone.yaml")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(SweepError, match="pip install dask-jobqueue"):
        cluster.describe(EXAMPLE)


def test_the_example_makes_a_job_script_that_asks_for_a_gpu() -> None:
    pytest.importorskip("dask_jobqueue")
    described = cluster.describe(EXAMPLE)
    with cluster._kind(described.kind)(**described.options) as asked:
        script = asked.job_script()
    assert described.gpu and "#SBATCH --gres=gpu:1" in script and "#SBATCH -p gpu" in script
    assert "--resources GPU=1" in script and "--nthreads 1" in script


@pytest.mark.parametrize("per_gpu", [1, 2])
def test_a_trial_sees_one_gpu_alone_or_with_others(per_gpu: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")

    def seen(number: int) -> str:
        import os

        return os.environ["CUDA_VISIBLE_DEVICES"]

    with cluster.local(workers=8, gpus=2, per_gpu=per_gpu) as client:
        client.wait_for_workers(2 * per_gpu, timeout=240)
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2 * per_gpu, "whatever was asked for"
        futures = client.map(seen, range(8), resources={"GPU": 1}, pure=False)
        assert set(client.gather(futures)) == {"4", "7"}
        assert sorted(client.run(seen, 0).values()) == ["4"] * per_gpu + ["7"] * per_gpu


@pytest.mark.parametrize(("gigabytes", "wanted", "fits"), [((80, 80), 4, 4), ((80, 9), 4, 2), ((3,), 2, 1)])
def test_a_gpu_is_shared_as_far_as_its_memory_allows(gigabytes, wanted, fits, monkeypatch) -> None:
    sizes = [SimpleNamespace(total_memory=number * 2**30) for number in gigabytes]
    monkeypatch.setattr("torch.cuda.get_device_properties", sizes.__getitem__)
    assert cluster.fitting(wanted, len(sizes)) == fits


def test_jobs_of_a_batch_system_run_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch system of two commands: one starts a copy of a job's script and says its number, one ends it."""
    pytest.importorskip("dask_jobqueue")
    copied = f'cp "$1" {tmp_path}/job'  # the script itself is gone as soon as it is handed in
    start = f'{copied}\n(exec sh {tmp_path}/job) >{tmp_path}/job.log 2>&1 &\necho "Submitted batch job $!"'
    commands = {"sbatch": start, "scancel": 'kill "$1"'}
    for name, command in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{command}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    options = {"cores": 1, "memory": "1GB", "processes": 1, "local_directory": str(tmp_path)}
    options |= {"worker_extra_args": ["--resources", "GPU=1"], "log_directory": str(tmp_path)}
    with cluster.jobs(cluster.Description(kind="SLURMCluster", jobs=1, gpu=True, options=options)) as client:
        client.wait_for_workers(1, timeout=240)
        assert client.submit(os.getpid, resources={"GPU": 1}).result(timeout=60) != os.getpid()


def test_workers_are_counted_by_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    cores = len(os.sched_getaffinity(0))
    assert 1 <= cluster.workers_here() <= cores
    little = type("Memory", (), {"available": cluster.MEMORY * 1.5})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    assert cluster.workers_here() == 1

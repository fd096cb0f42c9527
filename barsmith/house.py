"""Which packages make up the house, by the name each service goes by."""

from __future__ import annotations

#: service name -> package, in the order of the pipeline
SERVICES = {
    "ingestion": "ingestion_service",
    "features": "feature_service",
    "training": "training_service",
    "simulation": "simulation_service",
    "orchestrator": "orchestrator_service",
    "optimization": "optimization_service",
}


def loaders() -> dict[str, str]:
    """Return job kind -> "package.module:callable" for every kind, gathered from the services' workers."""
    from importlib import import_module

    return {
        str(kind): target
        for package in SERVICES.values()
        for kind, target in import_module(f"{package}.worker").LOADERS.items()
    }

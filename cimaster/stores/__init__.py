"""Where the one object lives: a ConfigMap of a Kubernetes cluster, or a row of an SQLite file."""

from cimaster.clock import Clock
from cimaster.settings import Settings
from cimaster.stores.port import Store


def open_store(settings: Settings, clock: Clock | None = None) -> Store:
    """Open the store that the settings name; StoreTrouble or BadSetting if that cannot be."""
    kind, _, path = settings.store.partition(":")
    if kind == "sqlite":
        from cimaster.stores.sqlite import SQLiteStore

        return SQLiteStore(path, settings.config_map)
    from cimaster.kubeaccess import api_client
    from cimaster.stores.kubernetes import KubernetesStore

    return KubernetesStore(api_client(settings.threads), settings.namespace, settings.config_map, clock)

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
    from cimaster.kubeaccess import KubeAccess
    from cimaster.stores.kubernetes import KubernetesStore

    return KubernetesStore(KubeAccess(settings.threads, clock), settings.namespace, settings.config_map, clock)


def check_access(settings: Settings) -> None:
    """Raise BadSetting, with a sentence, where the store is in a Kubernetes cluster and no access is configured."""
    if settings.store == "kubernetes":
        from cimaster.kubeaccess import KubeAccess

        KubeAccess(settings.threads).close()

"""The stores of the one object: a ConfigMap in a Kubernetes cluster, or a row in an SQLite file."""

from cimaster.common.clock import Clock
from cimaster.common.settings import BadSetting
from cimaster.errors import StoreUnreadable
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings


def open_store(settings: Settings, clock: Clock | None = None) -> Store:
    """Open the store that the settings name; StoreTrouble or BadSetting if that is impossible."""
    kind, _, path = settings.store.partition(":")
    if kind == "sqlite":
        from cimaster.repository.stores.sqlite import SQLiteStore

        return SQLiteStore(path, settings.config_map)
    from cimaster.common.kubernetes_client import KubernetesClient
    from cimaster.repository.stores.kubernetes import KubernetesStore

    return KubernetesStore(KubernetesClient(settings.threads, clock), settings.namespace, settings.config_map, clock)


def check_access(settings: Settings) -> None:
    """Raise BadSetting if the access to a Kubernetes cluster is not configured, or the file is no SQLite database."""
    if settings.store == "kubernetes":
        from cimaster.common.kubernetes_client import KubernetesClient

        KubernetesClient(settings.threads).close()
        return
    try:
        open_store(settings).close()
    except StoreUnreadable as unreadable:
        raise BadSetting(f"CIMASTER_STORE is {settings.store!r}: {unreadable}") from None

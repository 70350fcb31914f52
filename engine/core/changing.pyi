from engine.core.account import Account

class Changing(Account):
    config_version: int

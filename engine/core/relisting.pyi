from engine.core.changing import Changing

class Relisting(Changing):
    regrids: int

import json
import marshal
import pickle
import shelve
from pickle import loads as unpickle

import dill
import numpy
import pandas
import yaml


def load(raw, file):
    # ruleid: unsafe-pickle
    pickle.loads(raw)
    # ruleid: unsafe-pickle
    pickle.load(file)
    # ruleid: unsafe-pickle
    unpickle(raw)
    # ruleid: unsafe-pickle
    pickle.Unpickler(file).load()
    # ruleid: unsafe-pickle
    dill.loads(raw)
    # ruleid: unsafe-pickle
    marshal.loads(raw)
    # ruleid: unsafe-pickle
    shelve.open(raw)
    # ruleid: unsafe-pickle
    pandas.read_pickle(file)
    # ruleid: unsafe-pickle
    numpy.load(file, allow_pickle=True)
    # ok: unsafe-pickle
    pickle.dumps(raw)
    # ok: unsafe-pickle
    json.loads(raw)
    # ok: unsafe-pickle
    numpy.load(file)


def settings(raw):
    # ruleid: unsafe-yaml
    yaml.load(raw)
    # ruleid: unsafe-yaml
    yaml.load(raw, Loader=yaml.Loader)
    # ruleid: unsafe-yaml
    yaml.load(raw, yaml.UnsafeLoader)
    # ruleid: unsafe-yaml
    yaml.unsafe_load(raw)
    # ruleid: unsafe-yaml
    yaml.full_load(raw)
    # ok: unsafe-yaml
    yaml.safe_load(raw)
    # ok: unsafe-yaml
    yaml.load(raw, Loader=yaml.SafeLoader)
    # ok: unsafe-yaml
    yaml.load(raw, yaml.CSafeLoader)
